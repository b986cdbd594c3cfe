#!/usr/bin/env bash
# Runs every suite and ends with one line over all of them: "N passed, N failed". A suite that fails does not keep the
# next one from running. E2E="-k caps" passes arguments to the end-to-end suite.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.tools/venv/bin/python
started=$SECONDS
scripts/setup.sh || exit 1
# The build needs none of what only tests need, so that is fetched meanwhile.
scripts/setup.sh --test &
setup=$!
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

step() { printf '\n== %s (%ds)\n' "$1" $((SECONDS - started)); }

step "build"
swift build --build-tests || { echo "test: the build failed"; exit 1; }
wait $setup || { echo "test: the set-up failed"; exit 1; }

# What only computes and looks at no clock: beside the others, with what time they leave.
computes='^(SimulationTests|ScaleTests|CedarTests|SupervisorTests\.ReplayTests|ServerTests\.PolicyReplayTests)[./]'
tests=$(swift build --show-bin-path)/kdcubePackageTests.xctest
beside() {
  # Not by `swift test`, which would wait for the other one.
  nice -n 19 "$tests" --testing-library swift-testing --no-parallel \
    --filter "$computes" --xunit-output "$results/swift-beside.xml" || touch "$results/swift.failed"
  printf '\n== fuzz targets, a bounded run each (libFuzzer)\n'
  nice -n 19 scripts/fuzz.sh --xunit "$results/fuzz.xml" || touch "$results/fuzz.failed"
}
beside >"$results/beside.log" 2>&1 &
beside=$!

# One at a time: many of them start a server and some measure a deadline, which neighbours on the same cores would miss.
step "unit, property and contract tests (Swift)"
swift test --skip-build --no-parallel --skip "$computes" --xunit-output "$results/swift.xml" || touch "$results/swift.failed"

step "those that only compute, and fuzz targets, which ran beside them"
wait $beside
cat "$results/beside.log"

step "web client (node)"
mapfile -t web < <(find web-client/tests -name '*.test.js' -o -name '*.test.mjs' 2>/dev/null | sort)
if [ ${#web[@]} -gt 0 ]; then
  node --test --test-reporter=tap "${web[@]}" >"$results/web.tap" || touch "$results/web.failed"
  grep -vE '^ *(---|\.\.\.|duration_ms|type)' "$results/web.tap"
fi

# Alone, because it measures how long an answer takes. Where it cannot be run it says so, and that is no failure.
step "WebSocket cases of the Autobahn suite (where there is a Python 2.7)"
scripts/autobahn.sh --chosen --xunit "$results/autobahn.xml" || [ $? -eq 3 ] || touch "$results/autobahn.failed"

# Two files at a time: most of a test is waiting, and each worker has servers, stores and a browser of its own. Those that need the cores
# for themselves come after.
step "end to end (real binary, Redis, Chromium, SDKs)"
end_to_end() {
  local report=$1
  shift
  # shellcheck disable=SC2086
  $python -m pytest Tests/EndToEnd "$@" --junitxml "$results/$report.xml" ${E2E:-}
  # 5: what E2E chooses has no test here.
  local status=$?
  [ $status -eq 0 ] || [ $status -eq 5 ] || touch "$results/end-to-end.failed"
}
end_to_end end-to-end -m "not alone" -n 2 --dist loadfile
end_to_end end-to-end-alone -m alone

step "all"
$python scripts/tally.py "$results"
