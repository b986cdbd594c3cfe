#!/usr/bin/env bash
# Runs the Autobahn suite against our WebSocket codec: all 517 cases, or with --chosen the 318 of the core (groups 1 to 7, and 10), of
# the limits (9) and 17 of compression (12 and 13: small ones, and one of each set of parameters), or the cases that a pattern such as
# "12.1.*" names. --xunit FILE also writes a report, which says so when the suite was not run.
#
# The suite is a program for Python 2.7 (PYTHON2 names one; else python2.7, also pyenv's), which is installed into .tools when it is
# first run. Exits 1 when a case fails or is not strict, 3 when the suite cannot be run here: no Python 2.7, or no packages for it.
set -euo pipefail
cd "$(dirname "$0")/.."

cases='"*"'
seconds=3600
xunit=
while [ $# -gt 0 ]; do
  case "$1" in
    --chosen)
      cases='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.2.1", "12.3.1", "12.4.1", "12.5.1",
        "13.1.1", "13.1.2", "13.1.3", "13.1.10", "13.2.1", "13.2.2", "13.3.1", "13.3.2", "13.4.1", "13.5.1", "13.6.1", "13.7.1", "13.7.2"'
      # Half a minute where nothing else runs.
      seconds=180
      ;;
    --xunit)
      shift
      xunit=$1
      ;;
    *) cases="\"$1\"" ;;
  esac
  shift
done

not_run() {
  echo "autobahn: the suite was not run: $1" >&2
  [ -z "$xunit" ] || printf '<testsuites><testsuite name="Autobahn"><testcase classname="Autobahn" name="suite"><skipped message="%s"/></testcase></testsuite></testsuites>\n' "$1" >"$xunit"
  exit 3
}

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
[ -n "$python" ] || not_run "no Python 2.7 here, which PYTHON2 may name"

suite=.tools/autobahn
install_suite() {
  rm -rf $suite $suite-maker
  python3 -m venv $suite-maker &&
    # The last that makes environments for Python 2.7.
    timeout 45 $suite-maker/bin/python -m pip install --quiet --disable-pip-version-check 'virtualenv<20.22' &&
    timeout 45 $suite-maker/bin/virtualenv --quiet -p "$python" $suite &&
    timeout 120 $suite/bin/pip install --quiet --disable-pip-version-check autobahntestsuite==0.8.2 2>/dev/null &&
    touch $suite/.installed
}
if [ ! -e $suite/.installed ]; then
  echo "autobahn: installing the suite"
  install_suite || not_run "it cannot be installed here"
fi

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
.build/"$configuration"/conformance-server --suite autobahn --port 0 >"$work/server.log" 2>&1 &
server=$!
port=
for _ in $(seq 200); do
  port=$(sed -n 's/^listening on port //p' "$work/server.log")
  [ -z "$port" ] || break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
[ -n "$port" ] || { cat "$work/server.log"; echo "autobahn: the server did not start"; exit 1; }
cat >"$work/spec.json" <<JSON
{"outdir": "$work/reports", "servers": [{"agent": "kdcube", "url": "ws://127.0.0.1:$port/ws/"}], "cases": [$cases], "exclude-cases": []}
JSON
timeout "$seconds" $suite/bin/wstest -m fuzzingclient -s "$work/spec.json" >"$work/client.log" 2>&1 || {
  tail -20 "$work/client.log"
  echo "autobahn: the suite did not come to its end, for which it had $seconds seconds"
  exit 1
}
python3 - "$work/reports/index.json" "$xunit" <<'PY'
import collections
import json
import sys
import xml.etree.ElementTree as ElementTree

cases = json.load(open(sys.argv[1]))["kdcube"]
behaviours = collections.Counter(case["behavior"] for case in cases.values())
print("autobahn:", len(cases), "cases,", ", ".join(f"{count} {name}" for name, count in sorted(behaviours.items())))
suite = ElementTree.Element("testsuite", name="Autobahn")
bad = 0
for name, case in sorted(cases.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
    row = ElementTree.SubElement(suite, "testcase", classname="Autobahn", name=name)
    if {case["behavior"], case["behaviorClose"]} - {"OK", "INFORMATIONAL"}:
        bad += 1
        what = f"{case['behavior']}, close {case['behaviorClose']}"
        ElementTree.SubElement(row, "failure", message=what)
        print(f"{name}: {what}")
if sys.argv[2]:
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.ElementTree(root).write(sys.argv[2])
sys.exit(1 if bad or not cases else 0)
PY
