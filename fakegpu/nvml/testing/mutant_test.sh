#!/usr/bin/env bash
# A test that is linked with a seeded defect must fail.
#
# usage: mutant_test.sh TEST LIBRARY FILTER
#
#   LIBRARY   libnvidia-ml with the same defect
#   FILTER    the cases that are to see it
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "skipped: setters are root's"; exit 77; }
output=$(ASSAY_CROWD=300 ASSAY_TEST_NVML_LIBRARY=$2 "$1" "--gtest_filter=$3" 2>&1) && status=0 || status=$?
if grep -q '^\[  SKIPPED \]' <<<"$output"; then
  echo "skipped: the cases are, here"
  exit 77
fi
# 1 is GoogleTest's: some case failed. All else is a test that could not run.
if [ "$status" -ne 1 ] || ! grep -q '^\[  FAILED  \]' <<<"$output"; then
  echo "$output"
  echo "the defect was not seen (exit code $status)"
  exit 1
fi
grep -m 1 -A 8 'Failure' <<<"$output" | cut -c1-160
