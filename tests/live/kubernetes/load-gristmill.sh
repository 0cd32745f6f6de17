#!/bin/bash
# load-gristmill.sh: makes the image of our programs and makes it known to the cluster, under the name that the
# manifests have, as containerd completes it.
set -euo pipefail
. "$(dirname "$0")/common.sh"
tar=$SUITE_TMP/gristmill.tar
python3 "$LIVE/kubernetes/image.py" "$tar" docker.io/library/gristmill:0.1.0 \
    "$BINARIES/gristmill=/usr/local/bin/gristmill" "$BINARIES/gristmill-operator=/usr/local/bin/gristmill-operator"
say "image: $(du -m "$tar" | cut -f1) MiB"
"$LIVE/kubernetes/load-image.sh" "$tar"
