#!/usr/bin/env bash
# Lets Kubernetes' own library read the files that driver-ref writes for containers.
#
# usage: metadata_test.sh FOLDER
#
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$1/metadata"
exec "$1/metadata" "$here"/../../../driver-ref/cdi/testdata/*.json
