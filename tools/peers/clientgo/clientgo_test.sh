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
mkdir -p "$2"
folder=$(readlink -f "$2")
cd "$(dirname "$(readlink -f "$0")")"
command -v go >/dev/null || { echo "skipped: there is no Go here"; exit 77; }
if ! output=$(GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -o "$folder/clientgo" . 2>&1); then
  echo "$output" >&2
  if grep -qE 'dial tcp|lookup |proxyconnect|i/o timeout|connection refused|requires go' <<<"$output"; then
    echo "skipped: the modules, or a Go that is new enough, cannot be had here"
    exit 77
  fi
  exit 1
fi
exec "$folder/clientgo" "$server"
