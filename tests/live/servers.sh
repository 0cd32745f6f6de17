#!/bin/bash
# servers.sh up [kafka] [hdfs] [kubernetes]: the namespace, then the named servers
# side by side (default: all). servers.sh down: everything of this run, whatever
# of it is up, its folder included.
set -uo pipefail
. "$(dirname "$0")/env.sh"

each() {
    # The second and the third HDFS are up only where a suite has started them.
    if [[ $1 == hdfs_* ]] && [ ! -d "$RUN/${1/_/-}" ]; then return; fi
    if [ "$1" = kubernetes ]; then "$LIVE/kubernetes/$2.sh"; else "$LIVE/$1.sh" "$2"; fi
}

up() {
    local name pid failed=0 pids=()
    "$LIVE/netns.sh" up || return
    for name in "$@"; do
        each "$name" up &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    return $failed
}
down() {
    local name
    "$LIVE/netns.sh" evict
    # A lone server's failure must not keep the rest up.
    for name in kubernetes hdfs_kerberos hdfs_ha hdfs kafka netns; do
        each "$name" down || say "$name did not go down cleanly"
    done
    rm -rf "$RUN"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
up)
    [ $# -gt 0 ] || set -- kafka hdfs kubernetes
    up "$@"
    ;;
down) down ;;
*) die "usage: servers.sh up [kafka] [hdfs] [kubernetes] | down" ;;
esac
