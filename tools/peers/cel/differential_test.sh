#!/usr/bin/env bash
# Compares what Kubernetes and we declare, and lets both answer the same random expressions.
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
count=${3:-2000}
seed=${4:-${ASSAY_SEED:-1}}
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$2/cel"
# What can be called is the same, overload for overload.
diff <("$differential" declarations) <("$2/cel" -declarations)
"$differential" generate "$count" "$seed" | "$2/cel" | "$differential" check
