#!/bin/bash
# down.sh: ends what up.sh started, and leaves the machine as it was before:
# processes, mounts, pods' network namespaces, cgroups, shared paths, sysctls.
# Bridges, routes and nft tables are the namespace's and go with it.
set -uo pipefail
. "$(dirname "$0")/common.sh"

if foreign_cluster; then
    [ -f "$CLUSTER/names" ] || exit 0
    kubectl delete -f "$LIVE/kubernetes/services.yaml" --wait=false >/dev/null
    rm -rf "$CLUSTER"
    exit
fi

for name in kubelet "kubelet-$SECOND_NODE" kube-proxy coredns scheduler controller-manager; do kill_hard "$name"; done

# up.sh refused to start beside another kubelet, so all pods are this cluster's.
pod_processes() { pod_cgroups | while read -r folder; do find "$folder" -name cgroup.procs -exec cat {} +; done | sort -u; }
if [ -f "$CLUSTER/before/sysctls" ]; then
    for _ in {1..50}; do
        pids=$(pod_processes)
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086 # several ids
        kill -9 $pids 2>/dev/null
        sleep 0.1
    done
fi
stop containerd
stop "containerd-$SECOND_NODE"
# Shims outlive containerd by design; ours have our socket's path as argument.
for entry in /proc/[0-9]*; do
    case $(tr '\0' ' ' 2>/dev/null <"$entry/cmdline") in
    *containerd-shim-runc-v2*" -address $SOCKET "* | *containerd-shim-runc-v2*" -address $SECOND_SOCKET "*) kill -9 "${entry#/proc/}" ;;
    esac
done
kill_hard apiserver
kill_hard etcd

# Mounts lie on top of each other, hence more than one round.
for _ in 1 2 3; do
    awk -v folder="$CLUSTER/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r mount; do umount -l "$mount"; done
done

if [ -f "$CLUSTER/before/sysctls" ]; then
    for path in /run/netns/cni-*; do
        [ -e "$path" ] && ! grep -qxF "$path" "$CLUSTER/before/netns" || continue
        umount -l "$path" 2>/dev/null
        rm -f "$path"
    done
    for _ in {1..20}; do
        pod_cgroups | while read -r folder; do find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null; done
        [ -n "$(pod_cgroups)" ] || break
        sleep 0.1
    done
    while read -r setting; do sysctl -qw "$setting"; done <"$CLUSTER/before/sysctls"
    for path in "${SHARED_PATHS[@]}"; do
        grep -qxF "$path" "$CLUSTER/before/paths" || rm -rf "$path"
    done
fi
rm -rf "$CLUSTER"
if [ "$(cat "$OWNER" 2>/dev/null)" = "$RUN" ]; then rm -f "$OWNER"; fi
exit 0
