#!/usr/bin/env bash
# Builds the program of this folder and lets it read and set fake GPUs.
#
# usage: nvml_wrapper_test.sh FAKEGPUCTL FOLDER
#
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no cargo or the crates cannot be fetched; 1, with
# cargo's words, if the program does not compile. LD_LIBRARY_PATH says where the fake library is.
set -euo pipefail
fakegpuctl=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
[ "$(id -u)" -eq 0 ] || { echo "skipped: setters are root's"; exit 77; }
command -v cargo > /dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
command -v cargo > /dev/null || { echo "skipped: there is no cargo here"; exit 77; }
manifest=$here/Cargo.toml
command -v cc > /dev/null || { echo "skipped: there is no linker here"; exit 77; }
if ! output=$(cargo fetch --quiet --locked --manifest-path "$manifest" 2>&1); then
  echo "$output" >&2
  if grep -qE 'spurious network error|failed to (download|fetch)|Could not resolve|lock file version' <<<"$output"; then
    echo "skipped: the crates, or a cargo that is new enough, cannot be had here"
    exit 77
  fi
  exit 1
fi
mkdir -p "$2"
cargo build --quiet --locked --offline --manifest-path "$manifest" --target-dir "$2/nvml-wrapper"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/state"
"$fakegpuctl" create fixtures/nodes/dgx-h100.yaml > /dev/null
"$fakegpuctl" clock hold > /dev/null
"$fakegpuctl" proc start 0 --pid 4242 --name train --memory 1024 > /dev/null
"$2/nvml-wrapper/debug/nvml-wrapper-peer" "$fakegpuctl" > "$directory/found"
[ -z "${ASSAY_UPDATE_GOLDENS:-}" ] || cp "$directory/found" "$here/golden.txt"
diff "$here/golden.txt" "$directory/found" ||
  { echo "accept with: ASSAY_UPDATE_GOLDENS=1 ctest -R fakegpu_nvml_wrapper"; exit 1; }
