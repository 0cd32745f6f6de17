#!/bin/bash
# load-gristmill.sh [TAG]: makes the image of our programs, $SUITE_TMP/gristmill-TAG.tar, and makes it known to the
# cluster under the name that the manifests have, as containerd completes it. Its files are those of images/rootfs.txt,
# and the rest of it stands in the Dockerfile. The tag of the manifests is 0.1.0, the default.
set -euo pipefail
. "$(dirname "$0")/common.sh"
repository=$LIVE/../.. tag=${1:-0.1.0}
tar=$SUITE_TMP/gristmill-$tag.tar
last_stage() { sed -n "s/^$1 //p" "$repository/Dockerfile"; }

rm -rf "$SUITE_TMP/rootfs"
"$repository/images/rootfs.sh" "$SUITE_TMP/rootfs" "$BINARIES"
python3 "$LIVE/kubernetes/image.py" "$tar" "docker.io/library/gristmill:$tag" --rootfs "$SUITE_TMP/rootfs" \
    --entrypoint "$(last_stage ENTRYPOINT | tr -d '[]"')" --user "$(last_stage USER)" --env "$(last_stage ENV)"
say "image: $(du -m "$tar" | cut -f1) MiB, $(find "$SUITE_TMP/rootfs" -type f | wc -l) files"
"$LIVE/kubernetes/load-image.sh" "$tar"
