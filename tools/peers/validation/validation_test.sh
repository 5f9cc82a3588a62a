#!/usr/bin/env bash
# Asks Kubernetes' own validation for the answers that api/validation's cases expect.
#
# usage: validation_test.sh FOLDER
#
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$1/validation"
exec "$1/validation" "$here/../../../api/validation/testdata/rules.json"
