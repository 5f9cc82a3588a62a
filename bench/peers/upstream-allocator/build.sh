#!/usr/bin/env bash
# Builds the peer twice, with v0.37.2 and with v0.36.3 of k8s.io/dynamic-resource-allocation.
#
# usage: build.sh DIR
#
# Writes DIR/upstream-allocator-0.37 and DIR/upstream-allocator-0.36. Exit code 77: there is no Go, or the
# modules cannot be had.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=${1:?usage: build.sh DIR}
for version in 0.37 0.36; do
  modules=go.mod
  [ "$version" = 0.37 ] || modules=go-$version.mod
  "$here/../../../tools/peers/build.sh" "$here" "$out/upstream-allocator-$version" \
    -trimpath -modfile="$modules" .
done
