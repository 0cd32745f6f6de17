#!/bin/bash
# netns.sh up|evict|down: the network namespace of a run, which has no uplink: nothing
# in it can reach another machine, and its ports collide with no other run's.
#
# `evict` ends what runs in it and is not one of the servers: suites and their
# programs, which would otherwise start again what is taken down.
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

# Whatever runs in the namespace is ours by definition, what a killed suite left
# included. We ourselves may have been called from inside as well.
ancestors() {
    local pid=$BASHPID
    while [ "${pid:-0}" -gt 1 ]; do
        echo "$pid"
        pid=$(stat_field "$pid" 4 || true)
    done
}
members() {
    local id entry pid own
    id=$(namespace_id "/run/netns/$NETNS") || return 0
    own=" $(ancestors | tr '\n' ' ') "
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$(namespace_id "$entry/ns/net")" = "$id" ] || continue
        [[ $own != *" $pid "* && $(stat_field "$pid" 3) != Z ]] || continue
        echo "$pid"
    done
}
# The servers have scripts of their own to end them; shims are containerd's.
guests() {
    local servers
    servers=" $(cat "$RUN"/pids/* 2>/dev/null | cut -d' ' -f1 | tr '\n' ' ' || true) "
    members | while read -r pid; do
        [[ $servers == *" $pid "* || $(cat "/proc/$pid/comm" 2>/dev/null) == containerd-shim ]] || echo "$pid"
    done
}
end_all() { # end_all LISTING
    local signal pid
    for signal in TERM KILL KILL; do
        for pid in $("$1"); do kill -s $signal "$pid" 2>/dev/null || true; done
        for _ in {1..10}; do
            [ -n "$("$1")" ] || return 0
            sleep 0.1
        done
    done
}

evict() {
    [ -z "$NETNS" ] || [ ! -e "/run/netns/$NETNS" ] || end_all guests
}
down() {
    [ -n "$NETNS" ] && [ -e "/run/netns/$NETNS" ] || return 0
    end_all members
    ip netns del "$NETNS"
    # iproute2 mounts the folder of names on itself at the first use.
    if [ -z "$(ls -A /run/netns 2>/dev/null)" ]; then
        while umount /run/netns 2>/dev/null; do :; done
        rmdir /run/netns 2>/dev/null || true
    fi
    say "$NETNS down"
}

case ${1:-} in
up | evict | down) "$1" ;;
*) die "usage: netns.sh up|evict|down" ;;
esac
