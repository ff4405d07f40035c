# A thin front for the scripts in tools/. `make help` lists the targets.
# Variables: JOBS, PREFIX and DESTDIR (install), SEEDS, FUZZ_SECONDS, ROOM (check), ONLY, ROUNDS, SECONDS (bench).
export JOBS PREFIX SEEDS FUZZ_SECONDS
.DEFAULT_GOAL := help
.PHONY: help deps build debug release tsan demo run test check scenarios fuzz bench bench-step profile bench-deps lint format coverage install clean

help: ## list the targets
	@sed -n 's/^\([a-z-][a-z -]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "  %-22s %s\n", $$1, $$2}'

deps: ## install what is missing to build and to test
	@tools/deps.sh build test

build: ## build the optimised program: build/release/src/intertie
	@tools/deps.sh build
	@tools/build.sh release

debug release tsan: ## build one variant: sanitizers for memory, optimised, for threads
	@tools/build.sh $@

demo: build ## show two systems talking through intertie, then stop
	@tools/demo.sh build/release

run: build ## the same, and stay up until interrupted
	@tools/demo.sh build/release --stay

test: ## everything: all variants, live tests, seeds, fuzzing, lint
	@tools/deps.sh build test
	@tools/test.py full

check: ## the quick part, debug only; ROOM=base for one room
	@tools/deps.sh build test
	@tools/test.py check $(ROOM)

scenarios: debug ## write the narratives of tests/scenarios anew, where a change of them is meant
	@INTERTIE_SOURCE=$(CURDIR) INTERTIE_SCENARIOS_WRITE=1 setarch -R build/debug/src/test-simulation_scenario
	@git diff --stat tests/scenarios

fuzz: ## fuzz every target for FUZZ_SECONDS (60)
	@tools/deps.sh build test
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} tools/test.py fuzz

bench: ## measure beside peers: ONLY=pattern ROUNDS=5 SECONDS=3
	@tools/deps.sh build
	@tools/bench.sh $(if $(ONLY),--only '$(ONLY)') $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

profile: ## where the time of one workload goes: WORKLOAD=stream-256-1to1
	@tools/deps.sh build bench
	@tools/bench.sh --profile --only '$(WORKLOAD)' $(if $(SECONDS),--seconds $(SECONDS))

bench-step: ## the engine, encodings and matching without sockets
	@tools/deps.sh build
	@tools/bench.sh --programs

bench-deps: ## install the peers that benchmarks compare with
	@tools/deps.sh build bench

lint: ## check includes, banned calls, file lengths, exported names
	@tests/lint/lint.py

format: ## format the sources that differ from main
	@tools/deps.sh format
	@tools/format.sh

coverage: ## line coverage by room and parser against the bars, pages in build/coverage/html (SYSTEM=no: faster)
	@tools/deps.sh build test coverage
	@tools/coverage.sh

install: build ## install program, library, headers and pages (PREFIX, DESTDIR)
	@DESTDIR=$(DESTDIR) meson install -C build/release --no-rebuild --quiet

clean: ## remove all build output
	rm -rf build
