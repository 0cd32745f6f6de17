# `make demo` and `make test` need Rust and the usual build tools only; `make test-live` fetches its servers itself.
.PHONY: build demo test model-check sim test-live bench bench-curves bench-limits bench-batches bench-page bench-decode bench-guard profile-decode bench-compact bench-compact-curves profile-ingest profile-compact fuzz-decode fmt lint gen sbom help

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: ## Produce, ingest, compact and show the result: in-process broker, local folder
	cargo build --release --locked --workspace --bin gristmill
	$${CARGO_TARGET_DIR:-target}/release/gristmill demo

build: ## Release binaries in target/release: gristmill, gristmill-operator, kubectl-gristmill
	cargo build --release --locked --workspace

test: ## Every test that needs no server
	cargo test --locked --workspace

model-check: ## Every schedule of small zones, over the product's own decisions
	cargo run --locked --package gristmill-zone-model

# Those with a cluster come last: it takes processor time from the others for as long as it is up.
LIVE_SUITES = wellformed adversarial store ingest outage memory positions compaction small-files retention readers namenode election security kerberos packaging smoke documents quickstart run-sh conditions failures many shards sizing upgrade

test-live: ## Every live suite in its short form, on real Kafka, HDFS and Kubernetes
	cargo build --release --locked --workspace
	cargo test --locked --no-run --workspace
	GRISTMILL_LIVE_SHORT=1 tests/live/run $(LIVE_SUITES)

# Fetched first, since the suite `store` compiles tests where nothing can be downloaded.
live-%: ## One suite of tests/live/suites in full size, for example live-ingest
	cargo build --release --locked --workspace
	cargo fetch --locked
	tests/live/run $*

# A short form: BENCH_MESSAGES=20000 BENCH_ROUNDS=1 BENCH_IDLE=5 make bench
bench: ## Ingest on file:// and HDFS beside Spark, Flink and a Python consumer: table, and pictures in target/bench
	cargo build --release --locked --workspace
	tests/live/run bench

# A short form: BENCH_MESSAGES=2000 BENCH_HISTORY=1000 BENCH_LIVE=1000 make bench-curves
bench-curves: ## How time and memory of the ingest grow, and those of opening a log of a million entries: tables and a picture
	cargo build --release --locked --workspace
	tests/live/run bench-curves

# A short form: BENCH_MESSAGES=20000 BENCH_ROUNDS=1 make bench-limits
bench-limits: ## The ingest beside its limits: Kafka's client, decoding, Parquet, HDFS and the memory, each alone
	cargo build --release --locked --workspace
	tests/live/run bench-limits

# Commits come every 30 s. A short form: BENCH_SECONDS=30 make bench-batches
bench-batches: ## What a message costs an ingest by its codec and how full the producer's batches are
	cargo build --release --locked --workspace
	tests/live/run bench-batches

BENCH_PARTS = ingest curves limits
bench-page: ## The last results of `make bench`, `bench-curves` and `bench-limits` (or of BENCH_PARTS) into docs/benchmarks.md
	set -e; bench=$${CARGO_TARGET_DIR:-target}/bench; mkdir -p docs/benchmarks; \
	for part in $(BENCH_PARTS); do \
		test -f $$bench/$$part.md || continue; \
		sed -i -e "/^<!-- $$part -->$$/,/^<!-- end -->$$/{/^<!--/!d}" -e "/^<!-- $$part -->$$/r $$bench/$$part.md" docs/benchmarks.md; \
		! test -f $$bench/$$part.svg || cp $$bench/$$part.svg docs/benchmarks/; \
	done

bench-decode: ## MB/s and records/s on one core, from reading the bytes over bare quick-xml to zstd Parquet
	cargo run --locked --profile bench --package gristmill-bench --bin bench-decode

# Of the programs that test-live builds too, so that a run of all builds them once.
bench-guard: ## Instructions of decode and Parquet encode against bench/guard.yaml; RENEW="reason" writes them (needs valgrind)
	cargo build --release --locked --workspace
	$${CARGO_TARGET_DIR:-target}/release/bench-guard bench/guard.yaml $${RENEW:+--renew "$$RENEW"}

STAGE ?= decode
profile-decode: ## Where the instructions of a record go, by function; STAGE=encode for Parquet (needs valgrind)
	cargo build --locked --profile bench --package gristmill-bench --bin bench-guard
	bench/profile.sh $${CARGO_TARGET_DIR:-target}/release/bench-guard $(STAGE)

sim: ## The sizing decision beside KEDA/HPA, Flink's autoscaler and a fixed size: table, and pictures in target/sim
	cargo run --locked --package gristmill-sizing-sim

# A short form: BENCH_ROWS=600000 BENCH_LARGE=2000000 make bench-compact
bench-compact: ## Compaction beside DuckDB and Spark, 60 million rows in 512 MiB, increments and a rewind
	cargo build --release --locked --workspace
	tests/live/install.sh python
	bash -c '. tests/live/env.sh && "$$PYTHON" bench/compact.py "$$@"' bench \
		$${CARGO_TARGET_DIR:-target}/release/gristmill \
		$${CARGO_TARGET_DIR:-target}/release/bench-zone

# Other sizes: BENCH_SIZES=1000000,100000000 BENCH_SHARES=1 make bench-compact-curves
bench-compact-curves: ## CPU seconds of a compaction by the size of the zone and the share that is new, as a table and a picture
	cargo build --release --locked --workspace
	python3 bench/compact_curves.py $${CARGO_TARGET_DIR:-target}/release/gristmill \
		$${CARGO_TARGET_DIR:-target}/release/bench-zone $${CARGO_TARGET_DIR:-target}/compact-curves.svg

profile-ingest: ## Where the CPU time of the ingest goes, by stage (needs perf)
	cargo build --profile bench --locked --workspace
	tests/live/run profile-ingest

profile-compact: ## Where the CPU time of a compaction goes, by stage (needs perf)
	cargo build --profile bench --locked --workspace
	python3 bench/profile_compact.py $${CARGO_TARGET_DIR:-target}/release/gristmill \
		$${CARGO_TARGET_DIR:-target}/release/bench-zone

# What cargo-fuzz passes, without the tool and on the stable compiler. No sanitizer: there is no unsafe code to watch.
COVERAGE = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-trace-compares \
	--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1
FUZZ_TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_SECONDS ?= 600
fuzz-decode: ## Fuzz the decoder on one core for FUZZ_SECONDS (600)
	mkdir -p fuzz/corpus/decode fuzz/artifacts/decode
	cd fuzz && RUSTFLAGS="$(COVERAGE)" cargo build --locked --release --target $(FUZZ_TARGET)
	cd fuzz && nice target/$(FUZZ_TARGET)/release/decode corpus/decode ../worker/core/tests/decode/corpus \
		-dict=decode.dict -max_len=4096 -timeout=10 -artifact_prefix=artifacts/decode/ -max_total_time=$(FUZZ_SECONDS)

fmt: ## Format the code
	cargo fmt --all

lint: ## Format check, clippy and the dependency policy (needs cargo-deny)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --locked check bans licenses sources

gen: ## Write crds/*.yaml and the templates of the chart from the types
	cargo run --locked --package gristmill-crds --example generate

# Build dependencies are in it, since they bring the C code that is linked: librdkafka, OpenSSL, zstd. The tool writes
# one file for each program of the workspace, beside its Cargo.toml.
PROGRAMS = gristmill gristmill-operator kubectl-gristmill
sbom: ## What the programs are made of, as CycloneDX into target/sbom (needs cargo-cyclonedx)
	cargo cyclonedx --manifest-path worker/Cargo.toml --format json --spec-version 1.5 --describe binaries -q
	rm -rf target/sbom && mkdir -p target/sbom
	for program in $(PROGRAMS); do \
		find . -name "$${program}_bin.cdx.json" -not -path './target/*' -exec mv {} "target/sbom/$$program.cdx.json" \; ; \
		test -f "target/sbom/$$program.cdx.json" || exit 1; \
	done
	find . -name '*_bin.cdx.json' -not -path './target/*' -delete
