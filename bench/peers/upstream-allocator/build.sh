#!/usr/bin/env bash
# Builds the peer twice, with v0.37.2 and with v0.36.3 of k8s.io/dynamic-resource-allocation.
#
# usage: build.sh DIR
#
# Writes DIR/upstream-allocator-0.37 and DIR/upstream-allocator-0.36. Exit code 77: there is no Go, or the
# modules cannot be had.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath -m "${1:?usage: build.sh DIR}")
command -v go >/dev/null || {
  echo "skipped: Go is not installed"
  exit 77
}
for version in 0.37 0.36; do
  modules=go.mod
  [ "$version" = 0.37 ] || modules=go-$version.mod
  go mod download -modfile="$modules" || {
    echo "skipped: the modules of $modules cannot be downloaded"
    exit 77
  }
  GOWORK=off GOFLAGS=-mod=readonly go build -trimpath -modfile="$modules" -o "$out/upstream-allocator-$version" .
done
