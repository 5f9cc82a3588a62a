#!/usr/bin/env bash
# Lets Kubernetes' own evaluator, and ours, answer the same random expressions.
#
# usage: differential_test.sh CEL_DIFFERENTIAL FOLDER [COUNT [SEED]]
#
#   CEL_DIFFERENTIAL   the program of cel/dra/differential.cc
#   FOLDER             where the Go program of this folder is built
#
# ASSAY_SEED sets the seed of a run without SEED. Exit code 77, with a word why, where there is no Go
# or the modules cannot be fetched.
set -euo pipefail
differential=$(readlink -f "$1")
mkdir -p "$2"
folder=$(readlink -f "$2")
count=${3:-2000}
seed=${4:-${ASSAY_SEED:-1}}
cd "$(dirname "$(readlink -f "$0")")"
command -v go >/dev/null || { echo "skipped: there is no Go here"; exit 77; }
if ! output=$(GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go build -o "$folder/cel" . 2>&1); then
  echo "$output" >&2
  if grep -qE 'dial tcp|lookup |proxyconnect|i/o timeout|connection refused|requires go' <<<"$output"; then
    echo "skipped: the modules, or a Go that is new enough, cannot be had here"
    exit 77
  fi
  exit 1
fi
"$differential" generate "$count" "$seed" | "$folder/cel" | "$differential" check
