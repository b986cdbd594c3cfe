#!/usr/bin/env bash
# Installs what is missing on Debian 12 to build and run the server; with --test also what the tests need.
# Quick when nothing is missing. As root it installs; otherwise it prints the command to run and exits 1.
set -euo pipefail
cd "$(dirname "$0")/.."

with_tests=false
case "${1:-}" in
  "") ;;
  --test) with_tests=true ;;
  *) echo "usage: scripts/setup.sh [--test]" >&2; exit 64 ;;
esac

if ! command -v swift >/dev/null; then
  echo "setup: no Swift toolchain found: install Swift 6.3 or newer and put its bin folder on PATH" >&2
  exit 1
fi

missing=()
# need PACKAGE PROBE...: the package is missing when the probe fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need pkg-config command -v pkg-config
need libhiredis-dev pkg-config --exists hiredis
need libpq-dev pkg-config --exists libpq
need zlib1g-dev pkg-config --exists zlib
need libssl-dev pkg-config --exists libcrypto
need libsqlite3-dev pkg-config --exists sqlite3
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
need python3 command -v python3
need python3-venv python3 -c 'import ensurepip, venv'
need curl command -v curl
need bubblewrap command -v bwrap
# The console's charts; Debian keeps the browser's files here.
need libjs-chart.js test -e /usr/share/javascript/chart.js/chart.min.js
if $with_tests; then
  need g++ command -v g++
  need make command -v make
  need redis-server command -v redis-server
  # Debian keeps the server's programs off the PATH.
  need postgresql sh -c 'command -v initdb || ls /usr/lib/postgresql/*/bin/initdb'
  need chromium command -v chromium
  need nodejs command -v node
  # What reads the files of deployment/; Debian keeps servers off the PATH of users.
  need nginx-light sh -c 'command -v nginx || test -x /usr/sbin/nginx'
  need haproxy sh -c 'command -v haproxy || test -x /usr/sbin/haproxy'
  need prometheus command -v promtool
  need docker-compose command -v docker-compose
  need systemd command -v systemd-analyze
  need openssl command -v openssl
  need sqlite3 command -v sqlite3
  need binutils command -v readelf
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup: these packages are missing: ${missing[*]}" >&2
    echo "setup: run: sudo apt-get update && sudo apt-get install -y ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  install_missing() { apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
  # Debian starts a service when it installs one, and with the machine. The tests start their own: 101 says that it may not.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  # A fresh image has no package lists, an old one has stale ones: update only when the install fails without it.
  install_missing >/dev/null 2>&1 || { apt-get update -qq; install_missing; } >&2
  if [ "$(trap -p EXIT)" ]; then
    rm -f $policy
    trap - EXIT
  fi
  for service in nginx haproxy prometheus; do
    case "${missing[*]}" in *$service*) systemctl disable $service >/dev/null 2>&1 || true ;; esac
  done
fi

venv=.tools/venv
if [ ! -x $venv/bin/python ]; then
  mkdir -p .tools
  python3 -m venv $venv
fi

# The official browser client of Socket.IO, as the nicegui wheel carries it.
client=web-client/vendor/socket.io.min.js
if [ ! -s $client ]; then
  echo "setup: fetching the official socket.io client"
  wheels=$(mktemp -d)
  trap 'rm -rf "$wheels"' EXIT
  $venv/bin/python -m pip download --quiet --no-deps --dest "$wheels" nicegui==3.18.0
  mkdir -p web-client/vendor
  $venv/bin/python - "$wheels"/nicegui-*.whl $client <<'PY'
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2], "wb") as out:
    out.write(wheel.read("nicegui/static/socket.io.min.js"))
PY
fi

# Chart.js as Debian has it.
cmp -s /usr/share/javascript/chart.js/chart.min.js web-client/vendor/chart.min.js ||
  install -D -m 644 /usr/share/javascript/chart.js/chart.min.js web-client/vendor/chart.min.js

if $with_tests; then
  stamp=$venv/.requirements
  if ! cmp -s scripts/requirements-test.txt $stamp; then
    echo "setup: installing the Python packages of the tests"
    $venv/bin/python -m pip install --quiet -r scripts/requirements-test.txt
    cp scripts/requirements-test.txt $stamp
  fi
  # A client of another version by the same names: a folder that a test puts in front of the environment's packages.
  old=.tools/old-clients
  if ! cmp -s scripts/requirements-old-clients.txt $old/.requirements; then
    echo "setup: installing the old client of the tests"
    rm -rf $old
    $venv/bin/python -m pip install --quiet --no-deps --target $old -r scripts/requirements-old-clients.txt
    cp scripts/requirements-old-clients.txt $old/.requirements
  fi
  scripts/model.sh install
fi
