#!/bin/bash
# load-image.sh IMAGE.tar...: makes images known to the cluster, without a registry.
# For a cluster of one's own GRISTMILL_IMAGE_LOADER names the command that loads
# a tar there, such as 'kind load image-archive'.
set -euo pipefail
. "$(dirname "$0")/common.sh"
for tar in "$@"; do
    if foreign_cluster; then
        # shellcheck disable=SC2086 # a command with its arguments
        ${GRISTMILL_IMAGE_LOADER:?KUBECONFIG is set: name the command that loads an image tar into that cluster} "$tar"
    else
        ctrk images import "$tar" >/dev/null
    fi
done
