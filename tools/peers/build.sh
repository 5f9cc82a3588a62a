#!/usr/bin/env bash
# Builds a Go program that tests compare with.
#
# usage: build.sh MODULE PROGRAM [FLAGS OF go build...] [PACKAGE]
#
#   MODULE    the folder of its go.mod
#   PROGRAM   where the program is written
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched; 1, with Go's
# words, if it does not compile.
set -euo pipefail
module=$1 program=$(realpath -m "$2")
shift 2
mkdir -p "$(dirname "$program")"
cd "$module"
command -v go >/dev/null || { echo "skipped: there is no Go here"; exit 77; }
if ! output=$(GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=${CGO_ENABLED:-0} go build -o "$program" "${@:-.}" 2>&1); then
  echo "$output" >&2
  if grep -qE 'dial tcp|lookup |proxyconnect|i/o timeout|connection refused|requires go' <<<"$output"; then
    echo "skipped: the modules, or a Go that is new enough, cannot be had here"
    exit 77
  fi
  exit 1
fi
