#!/usr/bin/env bash
# Asks Kubernetes' own validation for the answers that api/validation's cases expect.
#
# usage: validation_test.sh FOLDER
#
#   FOLDER   where the program is built
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
mkdir -p "$1"
folder=$(readlink -f "$1")
cd "$(dirname "$(readlink -f "$0")")"
command -v go >/dev/null || { echo "skipped: there is no Go here"; exit 77; }
if ! output=$(GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -o "$folder/validation" . 2>&1); then
  echo "$output" >&2
  if grep -qE 'dial tcp|lookup |proxyconnect|i/o timeout|connection refused|requires go' <<<"$output"; then
    echo "skipped: the modules, or a Go that is new enough, cannot be had here"
    exit 77
  fi
  exit 1
fi
exec "$folder/validation" ../../../api/validation/testdata/rules.json
