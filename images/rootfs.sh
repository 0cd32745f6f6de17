#!/usr/bin/env bash
# rootfs.sh DIR [BINARIES]: puts every file of rootfs.txt into the new folder DIR, as the image has them.
# BINARIES is the folder of our programs, target/release if it is not given.
set -euo pipefail
die() { printf 'rootfs.sh: %s\n' "$*" >&2; exit 1; }

root=${1:?usage: rootfs.sh DIR [BINARIES]}
mkdir "$root" || die "$root must be a new folder: what lies in it would be part of the image"
root=$(cd "$root" && pwd)
binaries=$(cd "${2:-target/release}" && pwd) || die "there are no programs in ${2:-target/release}; cargo build --release --locked --workspace"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# For what wants to write in an image without a volume.
mkdir -m 1777 "$root/tmp"

while read -r path source; do
    case $path in '' | '#'*) continue ;; esac
    # shellcheck disable=SC2206 # the pattern is to be expanded
    found=(${source:-$path})
    found=("${found[@]/@BINARIES@/$binaries}")
    [ ${#found[@]} = 1 ] || die "$path fits ${#found[@]} files: ${found[*]}"
    [ -f "${found[0]}" ] || die "there is no file ${found[0]} for $path; the packages are libgssapi-krb5-2 and ca-certificates"
    [ -n "$source" ] || path=${found[0]}
    mode=644
    case $path in *.so.* | */bin/*) mode=755 ;; esac
    install -D -m "$mode" "${found[0]}" "$root$path"
done <images/rootfs.txt
