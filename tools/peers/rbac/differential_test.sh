#!/usr/bin/env bash
# Lets Kubernetes' RBAC and ours answer the same random questions about the same random policies.
#
# usage: differential_test.sh RBAC_DIFFERENTIAL FOLDER [COUNT [SEED]]
#
#   RBAC_DIFFERENTIAL   the program of controlplane/apiserver/rbac_differential.cc
#   FOLDER              where the Go program of this folder is built
#
# ASSAY_SEED sets the seed of a run without SEED. Exit code 77, with a word why, where there is no Go
# or the modules cannot be fetched.
set -euo pipefail
differential=$(readlink -f "$1")
count=${3:-500}
seed=${4:-${ASSAY_SEED:-1}}
here=$(dirname "$(readlink -f "$0")")
"$here/../build.sh" "$here" "$2/rbac"
"$differential" generate "$count" "$seed" | "$2/rbac" | "$differential" check
