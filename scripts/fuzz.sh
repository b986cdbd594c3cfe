#!/usr/bin/env bash
# Runs the fuzz targets of Tests/Fuzz under libFuzzer, each from its seeds (Tests/Fuzz/Corpus) and what earlier runs found (.build-fuzz/found).
# Ends with 1 and the input where a parser traps, hangs or takes too much memory; that input is kept as .build-fuzz/crash-….
# usage: scripts/fuzz.sh [--xunit FILE] [TARGET...]      RUNS=20000 a target, or SECONDS_A_TARGET=600; SEED=1
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.build-fuzz
xunit=/dev/null
if [ "${1:-}" = --xunit ]; then
  xunit=$2
  shift 2
fi

# A folder of its own: every module is built with the counters that guide the fuzzer.
swift build --scratch-path $folder -c release --product fuzz -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld -Xswiftc -DFUZZING -Xswiftc -parse-as-library >&2
fuzz=$folder/release/fuzz

targets=("$@")
[ $# -gt 0 ] || targets=(frame handshake payload payload3 packet msgpack json)
bound=(-runs="${RUNS:-20000}")
[ -z "${SECONDS_A_TARGET:-}" ] || bound=(-max_total_time="$SECONDS_A_TARGET")
failed=0
echo '<testsuites><testsuite name="Fuzz">' >"$xunit"
for name in "${targets[@]}"; do
  mkdir -p "$folder/found/$name"
  # An input takes far less than a millisecond, so five seconds are a hang; the parsers' own limits are far below 512 MiB.
  if FUZZ_TARGET=$name "$fuzz" "${bound[@]}" -seed="${SEED:-0}" -max_len=4096 -timeout=5 -rss_limit_mb=512 -print_final_stats=1 \
    -artifact_prefix="$folder/crash-$name-" "$folder/found/$name" "Tests/Fuzz/Corpus/$name" >"$folder/$name.log" 2>&1; then
    echo "fuzz: $name: $(grep -oP 'number_of_executed_units: *\K[0-9]+' "$folder/$name.log") inputs, $(grep -oE 'cov: [0-9]+' "$folder/$name.log" | tail -1)"
    echo "<testcase classname=\"Fuzz\" name=\"$name\"/>" >>"$xunit"
  else
    tail -40 "$folder/$name.log" >&2
    echo "fuzz: $name: failed; the input is $folder/crash-$name-…" >&2
    echo "<testcase classname=\"Fuzz\" name=\"$name\"><failure message=\"see .build-fuzz/$name.log\"/></testcase>" >>"$xunit"
    failed=1
  fi
done
echo '</testsuite></testsuites>' >>"$xunit"
exit $failed
