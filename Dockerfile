# One image with both programs, for the architecture that it is built on: `docker buildx build --platform ...` makes
# several. What is in it stands in images/rootfs.txt; the live suites make the same image from that list without an
# engine (tests/live/kubernetes/image.py).
FROM rust:1.95-bookworm AS build
# cmake builds librdkafka; the others are files of the image.
RUN apt-get update && apt-get install -y --no-install-recommends cmake libgssapi-krb5-2 ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --workspace
RUN images/rootfs.sh /rootfs

FROM scratch
COPY --from=build /rootfs /
USER 65532
ENTRYPOINT ["/usr/local/bin/gristmill"]
