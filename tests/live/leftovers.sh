#!/bin/bash
# leftovers.sh: prints what ended runs left on this machine, one line each, and
# fails if there is anything. What a living run has is none.
set -uo pipefail
. "$(dirname "$0")/kubernetes/common.sh"
runs=$(dirname "$RUN")
found=$(mktemp)
trap 'rm -f "$found"' EXIT

ended() { # ended ID: no folder, or one whose owner is dead; folders made by hand live
    [ ! -d "$runs/$1" ] || run_is_dead "$runs/$1"
}

for folder in "$runs"/*/; do
    folder=${folder%/}
    ! run_is_dead "$folder" || echo "folder $folder"
done >>"$found"
for path in /run/netns/gristmill-*; do
    [ ! -e "$path" ] || ! ended "${path#/run/netns/gristmill-}" || echo "namespace $path"
done >>"$found"
for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    # A server's arguments name its run's folder.
    id=$(tr '\0' '\n' 2>/dev/null <"$entry/cmdline" | grep -o "$runs/[^/:]*" | head -n 1)
    [ -z "$id" ] || ! ended "${id##*/}" || echo "process $pid of $id: $(tr '\0' ' ' <"$entry/cmdline" | cut -c1-100)"
done >>"$found"
awk -v runs="$runs/" 'index($2, runs) == 1 { print $2 }' /proc/mounts | while read -r mount; do
    id=${mount#"$runs"/}
    ! ended "${id%%/*}" || echo "mount $mount"
done >>"$found"
# The rest is there only while some run has the cluster.
if [ ! -f "$OWNER" ] || ! owner=$(cat "$OWNER") || ended "${owner##*/}"; then
    {
        ls -d "$OWNER" /run/netns/cni-* 2>/dev/null
        pod_cgroups
    } | sed 's/^/of a cluster: /' >>"$found"
fi

cat "$found"
[ ! -s "$found" ]
