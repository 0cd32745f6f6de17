#!/bin/bash
# second_node.sh IMAGE.tar...: one more real node beside node1, with a containerd, a
# kubelet, a bridge and pod addresses of its own, and these images. On a running one
# it starts what died. down.sh takes it down with the cluster.
set -euo pipefail
. "$(dirname "$0")/common.sh"
foreign_cluster && die "the nodes of this cluster are its owner's"
need_netns
here=$LIVE/kubernetes
address=10.244.1.1 network=10.244.1.0/24

# The first node's file with this one's folder, addresses and certificate in it.
adapt() { # adapt FILE TARGET
    sed "s#$CLUSTER/\(cni\|containerd\|podlogs\|manifests\|volplugins\)#$SECOND/\1#g
        s#cni0#cni1#; s#$POD_CIDR#$network#; s#10\.244\.0\.10\"#10.244.1.10\"#
        s#\"gateway\": \"$ADDRESS\"#\"gateway\": \"$address\"#
        s#^address: .*#address: $address#; s#serving-$NODE#serving-$SECOND_NODE#" "$1" >"$2"
}
# cgroup v1 has a folder per controller, and new cpusets there are empty.
make_cgroups() {
    local controller file
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir -p "/sys/fs/cgroup/$SECOND_CGROUP"
        return
    fi
    for controller in /sys/fs/cgroup/*/; do
        [ "$(basename "$controller")" != unified ] || continue
        mkdir -p "$controller$SECOND_CGROUP"
        for file in cpuset.cpus cpuset.mems; do
            [ ! -f "$controller$file" ] || cat "$controller$file" >"$controller$SECOND_CGROUP/$file"
        done
    done
}

begin=$(now)
mkdir -p "$SECOND"/{cni/net.d,containerd,podlogs,manifests,volplugins}
if ! inside ip link show cni1 >/dev/null 2>&1; then
    inside ip link add cni1 address 0a:58:0a:f4:01:01 type bridge forward_delay 0
    inside ip addr add "$address/24" dev cni1
    inside ip link set cni1 up
fi
"$here/certs.sh" "$SECOND_NODE" "$address"
adapt "$CLUSTER/cni/net.d/10-gristmill.conflist" "$SECOND/cni/net.d/10-gristmill.conflist"
adapt "$CLUSTER/containerd.toml" "$SECOND/containerd.toml"
adapt "$CLUSTER/kubelet.yaml" "$SECOND/kubelet.yaml"
# Both kubelets are on one machine: ports and the root of their pods' cgroups tell them apart.
printf 'port: 10350\nhealthzPort: 10348\ncgroupRoot: /%s\n' "$SECOND_CGROUP" >>"$SECOND/kubelet.yaml"
make_cgroups

start "containerd-$SECOND_NODE" containerd -c "$SECOND/containerd.toml" --log-level warn
waitfor "containerd-$SECOND_NODE" ctr -a "$SECOND_SOCKET" version
for image in "$CLUSTER/images/pause.tar" "$@"; do ctr -a "$SECOND_SOCKET" -n k8s.io images import "$image" >/dev/null; done
start "kubelet-$SECOND_NODE" "$BIN/kubelet" --config="$SECOND/kubelet.yaml" --kubeconfig="$PKI/kubelet-$SECOND_NODE.kubeconfig" \
    --hostname-override="$SECOND_NODE" --node-ip="$address" --root-dir="$SECOND/kubelet" \
    --cert-dir="$SECOND/kubelet/pki" --containerd="$SECOND_SOCKET" --v=2
waitfor "kubelet-$SECOND_NODE" sh -c "kubectl get node $SECOND_NODE -o 'jsonpath={.status.conditions[?(@.type==\"Ready\")].status}' | grep True"
say "$SECOND_NODE ready $(since "$begin") s after the start"
