#!/bin/sh
# peer_check.sh CHECK: builds tools/peers/api_types (Kubernetes' own code) and runs CHECK against it.
# Exit 77, skipped: Go or its modules are not to be had.
set -eu
check=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v go >/dev/null 2>&1; then
  echo "skipped: Go is not installed"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! (cd "$root/tools/peers/api_types" && go build -o "$work/api_types" .) >"$work/log" 2>&1; then
  cat "$work/log"
  echo "skipped: tools/peers/api_types does not build (no Go modules to be had?)"
  exit 77
fi
"$check" "$work/api_types" "${ASSAY_SEED:-1}"
