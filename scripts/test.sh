#!/usr/bin/env bash
# Runs every suite and ends with one line over all of them: "N passed, N failed". A suite that fails does not keep the
# next one from running. E2E="-k caps" passes arguments to the end-to-end suite.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.tools/venv/bin/python
scripts/setup.sh --test || exit 1
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
started=$SECONDS

step() { printf '\n== %s (%ds)\n' "$1" $((SECONDS - started)); }

step "build"
swift build --build-tests || { echo "test: the build failed"; exit 1; }

# One at a time: many of them start a server and some measure a deadline, which neighbours on the same cores would miss.
step "unit, property and contract tests (Swift)"
swift test --skip-build --no-parallel --xunit-output "$results/swift.xml" || touch "$results/swift.failed"

step "fuzz targets, a bounded run each (libFuzzer)"
scripts/fuzz.sh --xunit "$results/fuzz.xml" || touch "$results/fuzz.failed"

step "web client (node)"
mapfile -t web < <(find web-client/tests -name '*.test.js' -o -name '*.test.mjs' 2>/dev/null | sort)
if [ ${#web[@]} -gt 0 ]; then
  node --test --test-reporter=tap "${web[@]}" >"$results/web.tap" || touch "$results/web.failed"
  grep -vE '^ *(---|\.\.\.|duration_ms|type)' "$results/web.tap"
fi

# Alone, because it measures how long an answer takes. Where it cannot be run it says so, and that is no failure.
step "WebSocket cases of the Autobahn suite (where there is a Python 2.7)"
scripts/autobahn.sh --chosen --xunit "$results/autobahn.xml" || [ $? -eq 3 ] || touch "$results/autobahn.failed"

# Two files at a time: most of a test is waiting, and each worker has servers, stores and a browser of its own.
step "end to end (real binary, Redis, Chromium, SDKs)"
# shellcheck disable=SC2086
$python -m pytest Tests/EndToEnd -n 2 --dist loadfile --junitxml "$results/end-to-end.xml" ${E2E:-} || touch "$results/end-to-end.failed"

step "all"
$python scripts/tally.py "$results"
