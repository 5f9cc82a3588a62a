#!/usr/bin/env bash
# Builds the program of this folder and lets it divide fake GPUs.
#
# usage: nvlib_test.sh FAKEGPUCTL FOLDER
#
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched. LD_LIBRARY_PATH
# says where the fake library is.
set -euo pipefail
fakegpuctl=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
[ "$(id -u)" -eq 0 ] || { echo "skipped: setters are root's"; exit 77; }
# go-nvml binds the C library.
command -v cc > /dev/null || { echo "skipped: there is no C compiler here"; exit 77; }
CGO_ENABLED=1 "$here/../build.sh" "$here" "$2/nvlib"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/state"
for node in mig-boards gb200-nvl72 mixed; do
  "$fakegpuctl" create --replace "fixtures/nodes/$node.yaml" > /dev/null
  "$2/nvlib" > "$directory/$node"
done
(cd "$directory" && cat mig-boards gb200-nvl72 mixed > all)
[ -z "${ASSAY_UPDATE_GOLDENS:-}" ] || cp "$directory/all" "$here/golden.txt"
diff "$here/golden.txt" "$directory/all" ||
  { echo "accept with: ASSAY_UPDATE_GOLDENS=1 ctest -R fakegpu_nvlib"; exit 1; }
