#!/bin/bash
# build.sh BIN_FOLDER: Helm and Kustomize from the Go module proxy at the versions that mods/tools pins, and Prometheus
# with its promtool out of Debian's package, which is unpacked only: installed it would start one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
mkdir -p "$bin"

# Without these Helm takes itself for v3.22 with the rules of Kubernetes 1.20.
helm=helm.sh/helm/v3
ldflags="-s -w -X $helm/internal/version.version=v3.22.0"
for package in lint/rules chartutil; do
    ldflags+=" -X $helm/pkg/$package.k8sVersionMajor=1 -X $helm/pkg/$package.k8sVersionMinor=35"
done
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-buildvcs=false
(cd "$here/mods/tools" && nice -n 5 go build -trimpath -ldflags "$ldflags" -o "$bin/" \
    $helm/cmd/helm sigs.k8s.io/kustomize/kustomize/v5)

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
# Where apt's own user can't write, root fetches; apt says so, and that is all.
(cd "$unpacked" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; })
dpkg-deb -x "$unpacked"/prometheus_*.deb "$unpacked/root"
install "$unpacked/root/usr/bin/prometheus" "$unpacked/root/usr/bin/promtool" "$bin"
