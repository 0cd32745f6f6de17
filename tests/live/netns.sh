#!/bin/bash
# netns.sh up|down: the network namespace of a run, which has no uplink: nothing
# in it can reach another machine, and its ports collide with no other run's.
#
# It holds the bridge that the node's pods will hang on. The bridge comes first
# because Kafka and HDFS listen on its address, with or without a cluster.
set -euo pipefail
. "$(dirname "$0")/env.sh"

up() {
    [ -n "$NETNS" ] || { say "using the machine's own network, address $ADDRESS"; return; }
    mkdir -p "$RUN"
    [ -e "/run/netns/$NETNS" ] || ip netns add "$NETNS"
    inside ip link set lo up
    if ! inside ip link show cni0 >/dev/null 2>&1; then
        # A bridge takes the lowest address of its ports unless it has one of its own.
        inside ip link add cni0 address 0a:58:0a:f4:00:01 type bridge forward_delay 0
        inside ip addr add "$ADDRESS/24" dev cni0
    fi
    inside ip link set cni0 up
    inside sysctl -qw net.ipv4.ip_forward=1
    say "$NETNS up, pods reach it as $ADDRESS"
}

# Whatever still runs in the namespace is ours by definition, a suite that was
# killed in the middle included. We ourselves may be inside as well.
members() {
    local id entry pid self=" $$ $PPID $BASHPID "
    id=$(namespace_id "/run/netns/$NETNS") || return 0
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$(namespace_id "$entry/ns/net")" = "$id" ] || continue
        case $self in *" $pid "*) continue ;; esac
        [ "$(stat_field "$pid" 3)" = Z ] || echo "$pid"
    done
}

down() {
    [ -n "$NETNS" ] && [ -e "/run/netns/$NETNS" ] || return 0
    local signal pid
    for signal in TERM KILL KILL; do
        for pid in $(members); do kill -s $signal "$pid" 2>/dev/null || true; done
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -n "$(members)" ] || break 2
            sleep 0.1
        done
    done
    ip netns del "$NETNS"
    # iproute2 mounts the folder of names on itself at the first use.
    if [ -z "$(ls -A /run/netns 2>/dev/null)" ]; then
        while umount /run/netns 2>/dev/null; do :; done
        rmdir /run/netns 2>/dev/null || true
    fi
    say "$NETNS down"
}

case ${1:-} in
up | down) "$1" ;;
*) die "usage: netns.sh up|down" ;;
esac
