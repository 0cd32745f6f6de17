# shellcheck shell=bash disable=SC2034 # whoever sources it uses them
# Settings that up.sh, down.sh and load-image.sh share; source me.
. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"

CLUSTER=$RUN/kubernetes
PKI=$CLUSTER/pki
BIN=$KUBERNETES_HOME/bin
NODE=node1
POD_CIDR=10.244.0.0/24
SERVICE_CIDR=10.96.0.0/16
API=https://127.0.0.1:6443
SOCKET=$CLUSTER/containerd/containerd.sock
# A suite may add one (second_node.sh); its pods have a root of cgroups of their own.
SECOND_NODE=node2
SECOND=$CLUSTER/$SECOND_NODE
SECOND_SOCKET=$SECOND/containerd/containerd.sock
SECOND_CGROUP=gristmill-$SECOND_NODE

ctrk() { ctr -a "$SOCKET" -n k8s.io "$@"; }

# Kubelet and containerd use some places of the machine that no option moves.
# Only one cluster at a time can therefore run on it, whatever the namespace.
OWNER=/run/gristmill-kubernetes # holds the folder of the run that has the cluster
SHARED_PATHS=(/run/containerd /run/xtables.lock /var/lib/cni /var/lib/kubelet /var/log/containers)
SHARED_SYSCTLS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes)
# cgroup v1 has a folder per controller, v2 has one tree.
pod_cgroups() { find /sys/fs/cgroup -maxdepth 2 -type d \( -name kubepods -o -name k8s.io -o -name "$SECOND_CGROUP" \); }
