#!/bin/sh
# peer_check.sh PEER CHECK: builds tools/peers/PEER (Kubernetes' own code) and runs CHECK against it.
# Exit 77, skipped: Go or its modules are not to be had.
set -eu
peer=$1 check=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v go >/dev/null 2>&1; then
  echo "skipped: Go is not installed"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! (cd "$root/tools/peers/$peer" && GOWORK=off CGO_ENABLED=0 go build -o "$work/peer" .) >"$work/log" 2>&1; then
  cat "$work/log"
  echo "skipped: tools/peers/$peer does not build (no Go modules to be had?)"
  exit 77
fi
"$check" "$work/peer" "${ASSAY_SEED:-1}"
