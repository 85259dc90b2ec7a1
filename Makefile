# Everything a person or a CI machine does here. Needs Rust, build-essential and git; what else a target needs,
# its script installs and says so.
.PHONY: run chat-page build test test-full check fmt bench fuzz generate clean help

ARGS ?=
# Where `make run` keeps its data.
DATA ?= target/dev
FUZZ_SECONDS ?= 60

help: ## lists these targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

run: chat-page ## builds the server and runs it in development mode (ARGS="--port-offset 1000" and so on)
	cargo build --release --package metronome-server
	target/release/metronome --dev --data $(DATA) $(ARGS)

chat-page: ## unpacks the chat page into target/chat-page, where npm is installed
	@scripts/chat-page

build: ## builds every program, optimised
	cargo build --release --workspace --bins

test: ## every test within 35 minutes; ends with `N passed, N failed, N skipped`
	@cargo xtask test

test-full: ## the same and the long runs
	@cargo xtask test --full

check: ## format, lints, documentation, licences and bans, and the project's own rules
	scripts/check

fmt: ## formats all code
	cargo fmt --all

bench: ## measures this server and its peers side by side (see docs/bench.md)
	interop/bench/run

fuzz: ## runs every fuzz target (FUZZ_SECONDS=60 each; FUZZ_TARGET=name for one)
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz-all $(FUZZ_TARGET)

generate: ## writes the pages that come from the code
	cargo xtask generate

clean: ## removes everything that was built, fetched or measured
	cargo clean
	rm -rf fuzz/target
