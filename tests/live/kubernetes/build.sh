#!/bin/bash
# build.sh BIN_FOLDER: every Go program of the cluster, built from the Go module
# proxy at the versions that mods/*/go.mod and go.sum pin.
#
# The flags below are part of Go's build cache key: another flag anywhere means
# that everything is compiled again (minutes instead of seconds).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$1
mkdir -p "$bin"

version=v1.35.4
package=k8s.io/component-base/version
# Without these the binaries call themselves v0.0.0-master.
ldflags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=35"
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-buildvcs=false

build() { # build MODULE OUTPUT PACKAGE...
    local module=$1 output=$2
    shift 2
    (cd "$here/mods/$module" && nice -n 5 go build -trimpath -ldflags "$ldflags" -o "$output" "$@")
}

# etcd has `replace` lines of its own, so it needs a module for itself.
build etcd "$bin/etcd" go.etcd.io/etcd/server/v3
# One call for all of Kubernetes: the programs share nearly all packages.
commands=()
for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl kube-proxy; do
    commands+=("k8s.io/kubernetes/cmd/$name")
done
build k8s "$bin/" "${commands[@]}"
build k8s "$bin/coredns" ./coredns-min
# One static program serves as the pause container and as the smoke test's pods.
build probe "$bin/probe" .
