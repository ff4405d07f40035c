# A thin front for the scripts in tools/.
.DEFAULT_GOAL := build
.PHONY: build debug release tsan fuzz-build test check

build: release ## build the optimised program in build/release

debug release tsan: ## build one variant
	@tools/build.sh $@

check: debug
	@setarch -R meson test -C build/debug --no-rebuild --print-errorlogs
