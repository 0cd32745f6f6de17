# One image with both binaries. The live suites make the same image without an engine (tests/live/kubernetes/image.py).
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --workspace

FROM debian:bookworm-slim
COPY --from=build /src/target/release/gristmill /src/target/release/gristmill-operator /usr/local/bin/
# The allocator gives memory back after so many milliseconds, not after a second: a compaction stays in its limit.
ENV MIMALLOC_PURGE_DELAY=100
USER 65532
ENTRYPOINT ["/usr/local/bin/gristmill"]
