#!/usr/bin/env bash
# Builds the release servers and the load generator, and prints every figure. Numbers of two machines, or of two times on
# a shared machine, say nothing together: compare columns of one run.
# usage: Benchmarks/run.sh [socketio | storm | slow | runs | cut | ledger | scripts | root | memory | idle | sandbox | cedar | instructions]
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product conformance-server
swift build -c release --product kdcube
swift build -c release --product ledger-benchmark
swift build -c release --product sandbox-benchmark
swift build -c release --product cedar-benchmark
swift build -c release --product transport-benchmark
if [ Benchmarks/sioload.cpp -nt .tools/sioload ]; then
  g++ -O2 -std=c++17 -o .tools/sioload Benchmarks/sioload.cpp
fi
for part in ${1:-socketio storm slow runs cut ledger scripts root memory idle sandbox cedar instructions}; do
  KDCUBE_BINARIES=$PWD/.build/release .tools/venv/bin/python "Benchmarks/bench_$part.py"
done
