#!/usr/bin/env bash
# Runs the Autobahn suite against our WebSocket codec: all 517 cases, or with --chosen the core, the limits and one small case of each
# set of compression parameters. The suite is a program for Python 2.7 (PYTHON2 names one; else python2.7, also pyenv's).
# Exits 1 when a case fails or is not strict, 3 when there is no Python 2.7.
set -euo pipefail
cd "$(dirname "$0")/.."

configuration=${CONFIGURATION:-debug}
python=${PYTHON2:-}
if [ -z "$python" ]; then
  for candidate in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    if "$candidate" --version >/dev/null 2>&1; then
      python=$(command -v "$candidate")
      break
    fi
  done
fi
if [ -z "$python" ]; then
  echo "autobahn: no Python 2.7 here: set PYTHON2 to one; the suite was not run" >&2
  exit 3
fi

suite=.tools/autobahn
if [ ! -x $suite/bin/wstest ]; then
  echo "autobahn: installing the suite"
  rm -rf $suite $suite-maker
  python3 -m venv $suite-maker
  # The last that makes environments for Python 2.7.
  $suite-maker/bin/python -m pip install --quiet 'virtualenv<20.22'
  $suite-maker/bin/virtualenv --quiet -p "$python" $suite
  $suite/bin/pip install --quiet --disable-pip-version-check autobahntestsuite==0.8.2 2>/dev/null
fi

case "${1:-}" in
  "") cases='"*"' ;;
  --chosen)
    cases='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.2.1", "12.3.1", "12.4.1", "12.5.1",
      "13.1.1", "13.1.2", "13.1.3", "13.1.10", "13.2.1", "13.2.2", "13.3.1", "13.3.2", "13.4.1", "13.5.1", "13.6.1", "13.7.1", "13.7.2"'
    ;;
  *) cases="\"$1\"" ;;
esac

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
.build/"$configuration"/conformance-server --suite autobahn --port "$port" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.1
done
cat >"$work/spec.json" <<JSON
{"outdir": "$work/reports", "servers": [{"agent": "kdcube", "url": "ws://127.0.0.1:$port/ws/"}], "cases": [$cases], "exclude-cases": []}
JSON
$suite/bin/wstest -m fuzzingclient -s "$work/spec.json" >"$work/client.log" 2>&1 || { tail -20 "$work/client.log"; exit 1; }
python3 - "$work/reports/index.json" <<'PY'
import collections
import json
import sys

cases = json.load(open(sys.argv[1]))["kdcube"]
behaviours = collections.Counter(case["behavior"] for case in cases.values())
print("autobahn:", len(cases), "cases,", ", ".join(f"{count} {name}" for name, count in sorted(behaviours.items())))
bad = [
    f"{name}: {case['behavior']}, close {case['behaviorClose']}"
    for name, case in sorted(cases.items())
    if {case["behavior"], case["behaviorClose"]} - {"OK", "INFORMATIONAL"}
]
print("\n".join(bad))
sys.exit(1 if bad or not cases else 0)
PY
