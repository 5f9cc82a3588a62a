#!/usr/bin/env bash
# Certifies Kubernetes' own DRA test driver: a driver that others wrote, on the official helper library
# with client-go, passes but for what its expectations file explains.
#
# usage: certify_test.sh ASSAY FOLDER
#
#   FOLDER   where the driver is built
set -euo pipefail
assay=$1 folder=$2
here=$(dirname "$(readlink -f "$0")")
"$here/build.sh" "$folder" test-driver
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
ASSAY_UPSTREAM_TEST_DRIVER=$(readlink -f "$folder/test-driver") \
  "$assay" certify --testee "$here/../../../fixtures/testees/upstream-test-driver.yaml" --out "$out"
# Nothing fails that is not expected to, derived rules included.
! grep -E '^(fail|harness error|expectation|trouble)  ' "$out/report.txt"
"$assay" verify "$out/bundle.json"
