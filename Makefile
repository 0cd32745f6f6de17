# `make demo` and `make test` need Rust and the usual build tools only; `make test-live` fetches its servers itself.
.PHONY: demo test model-check test-live fmt lint gen help

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: ## Produce, ingest, compact and show the result: in-process broker, local folder
	cargo build --release --locked --package gristmill
	./$${CARGO_TARGET_DIR:-target}/release/gristmill demo

test: ## Every test that needs no server
	cargo test --locked --workspace

model-check: ## Every schedule of small zones, over the product's own decisions
	cargo run --locked --package gristmill-zone-model

# Those with a cluster come last: it takes processor time from the others for as long as it is up.
LIVE_SUITES = store outage readers smoke quickstart

test-live: ## Every live suite in its short form, on real Kafka, HDFS and Kubernetes
	cargo build --release --locked --workspace
	cargo test --locked --no-run --workspace
	GRISTMILL_LIVE_SHORT=1 tests/live/run $(LIVE_SUITES)

live-%: ## One suite of tests/live/suites in full size, for example live-ingest
	cargo build --release --locked --workspace
	# The suite `store` compiles tests where nothing can be downloaded.
	cargo fetch --locked
	tests/live/run $*

fmt: ## Format the code
	cargo fmt --all

lint: ## Format check, clippy and the dependency policy (needs cargo-deny)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --locked check bans licenses sources

gen: ## Write crds/*.yaml from the types
	cargo run --locked --package gristmill-crds --example generate
