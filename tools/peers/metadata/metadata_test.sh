#!/usr/bin/env bash
# Lets Kubernetes' own library, of 1.36 and of 1.37, read the files that driver-ref writes for
# containers.
#
# usage: metadata_test.sh FOLDER
#
#   FOLDER   where the programs are built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$1/metadata"
"$here/../build.sh" "$here" "$1/metadata.1.37" -modfile=go.1.37.mod .
for reader in metadata metadata.1.37; do
  "$1/$reader" "$here"/../../../driver-ref/cdi/testdata/*.json
done
