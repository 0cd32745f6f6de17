#!/bin/bash
# in_image.sh ROOT ETC ARGUMENTS...: `gristmill ARGUMENTS` as a pod runs it, without a cluster. ROOT is the image's file
# system (images/rootfs.sh) and can't be written, /tmp is empty, ETC stands at /etc/gristmill, the user is 65532.
set -euo pipefail
root=$1
# What a container's runtime makes for its mounts.
mkdir -p "$root/proc" "$root/dev" "$root/etc/gristmill"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
# In a mount namespace of its own: nothing is to be taken down.
# shellcheck disable=SC2016 # the inner shell expands them
exec unshare --mount bash -euc '
    root=$1 etc=$2
    shift 2
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount --bind "$etc" "$root/etc/gristmill"
    mount -o remount,bind,ro "$root"
    exec chroot --userspec=65532:65532 "$root" /usr/local/bin/gristmill "$@"' _ "$@"
