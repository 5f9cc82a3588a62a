#!/usr/bin/env bash
# Builds the client-go program of this folder and lets it drive Assay's API server.
#
# usage: clientgo_test.sh SERVER FOLDER
#
#   SERVER   apiserver_for_tests
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
server=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$2/clientgo"
exec "$2/clientgo" "$server"
