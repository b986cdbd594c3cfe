# The one entrance: every target installs what it needs first (scripts/setup.sh), so each works on a fresh Debian 12
# that has only a Swift toolchain.
CONFIGURATION ?= release
PORT ?= 8000

.PHONY: run test lint model bench instructions docs simulate scale autobahn fuzz screenshots

# Builds the server and starts it with embedded stores and the scripted model.
run:
	@scripts/setup.sh
	swift build -c $(CONFIGURATION) --product kdcube
	@PORT=$(PORT) scripts/run-demo.sh .build/$(CONFIGURATION)/kdcube

# The same with a small real model beside the scripted one (docs/models.md).
model:
	@scripts/setup.sh
	@scripts/model.sh install
	@$(MAKE) --no-print-directory run

# Every suite: Swift, the web client's modules, end to end.
test:
	@scripts/test.sh

# The simulation of Accounting: SEEDS=n from FROM, or one SEED with its trace; PROFILE and DEFECT as in docs/accounting.md.
SEEDS ?= 100000
FROM ?= 0
simulate:
	@scripts/setup.sh
	swift build -c $(CONFIGURATION) --product simulate
	.build/$(CONFIGURATION)/simulate $(if $(SEED),--seed $(SEED) --tell,--seeds $(SEEDS) --from $(FROM)) \
	  $(if $(PROFILE),--profile $(PROFILE)) $(if $(DEFECT),--defect $(DEFECT))

# The table of docs/scale.md as Markdown, about twenty-five minutes on one core; or one world: STREAMS, NODES, MASTERS, SHARE (per cent of the hot
# organisation), SLOTS (of it), STREAMS_A_SLOT (of the others), BALANCED, SLICE, NEAR (1: at the cap), WARM_UP, SECONDS.
scale:
	@scripts/setup.sh
	swift build -c $(CONFIGURATION) --product scale
	.build/$(CONFIGURATION)/scale $(if $(SEED),--seed $(SEED)) $(if $(STREAMS),--streams $(STREAMS)) $(if $(NODES),--nodes $(NODES)) \
	  $(if $(MASTERS),--masters $(MASTERS)) $(if $(SHARE),--share $(SHARE)) $(if $(SLOTS),--slots $(SLOTS)) \
	  $(if $(STREAMS_A_SLOT),--streams-a-slot $(STREAMS_A_SLOT)) $(if $(BALANCED),--balanced $(BALANCED)) $(if $(SLICE),--slice $(SLICE)) $(if $(NEAR),--near $(NEAR)) \
	  $(if $(WARM_UP),--warm-up $(WARM_UP)) $(if $(SECONDS),--seconds $(SECONDS))

lint:
	@scripts/lint.sh

# Pictures of every page with an organisation in use, into screenshots/ (OUT=folder); fails when a page shows or logs an error.
OUT ?= screenshots
screenshots:
	@scripts/setup.sh --test
	swift build -c $(CONFIGURATION) --product kdcube
	.tools/venv/bin/python scripts/screenshots.py --out $(OUT) --binaries .build/$(CONFIGURATION) $(if $(ONLY),--only $(ONLY)) $(if $(VIEWS),--views $(VIEWS))

# Side by side with python-socketio under uvicorn; numbers only mean something within one run.
bench:
	@scripts/setup.sh --test
	@Benchmarks/run.sh

# The instructions of the hot operations beside their baselines, a minute; ends with an error where one has grown by more than its limit.
# GROUP=transport counts that group alone, UPDATE=1 writes the baselines anew.
instructions:
	@scripts/setup.sh --test
	swift build -c release --product transport-benchmark
	swift build -c release --product cedar-benchmark
	KDCUBE_BINARIES=.build/release .tools/venv/bin/python Benchmarks/bench_instructions.py $(GROUP) $(if $(UPDATE),--update)

# The Autobahn suite of WebSocket cases, where a Python 2.7 is found: all 517, ten minutes; CASES=--chosen for the half-minute's choice
# that `make test` runs, or "12.1.*".
autobahn:
	@scripts/setup.sh
	swift build --product conformance-server
	@scripts/autobahn.sh $(CASES)

# The parsers under libFuzzer: TARGET=frame (or all), RUNS or SECONDS_A_TARGET as in scripts/fuzz.sh.
fuzz:
	@scripts/setup.sh
	@scripts/fuzz.sh $(TARGET)

# The documentation of the library products as a static site.
docs:
	@scripts/setup.sh
	@scripts/docs.sh
