#!/bin/sh
# peer_check.sh PEER CHECK: builds tools/peers/PEER (Kubernetes' own code) and runs CHECK against it.
# Exit 77, skipped: Go or its modules are not to be had.
set -eu
peer=$1 check=$2
peers=$(cd "$(dirname "$0")/../../tools/peers" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$peers/build.sh" "$peers/$peer" "$work/peer"
"$check" "$work/peer" "${ASSAY_SEED:-1}"
