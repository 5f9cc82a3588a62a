#!/usr/bin/env bash
# Certifies the reference driver with one seeded defect, and expects that the rule finds it; without
# one ("none"), that no rule fails.
#
# usage: mutant_test.sh ASSAY MUTANT RULES [LATER [TESTEE]]
#
#   RULES   the rule that must fail; for "none" the rules to try, separated by ':'
#   LATER   a rule whose case comes after, and must pass all the same; - for none
#   TESTEE  a file in testdata/
set -euo pipefail
assay=$1 mutant=$2 rules=$3 later=${4:--} testee=${5:-driver-ref-mutants.yaml}
later=${later#-}
[ "$testee" != driver-ref-mig-mutants.yaml ] || [ "$(id -u)" -eq 0 ] || {
  echo "mutant_test: skipped: dividing GPUs is root's"
  exit 77
}
here=$(dirname "$(readlink -f "$0")")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

export ASSAY_MUTANT=$mutant
status=0
"$assay" certify --testee "$here/testdata/$testee" --filter "$rules${later:+:$later}" --out "$out" \
  >"$out/output" 2>&1 || status=$?
fail() {
  cat "$out/output"
  echo "mutant_test: $1" >&2
  exit 1
}
[ -e "$out/report.txt" ] || fail "the run ended with $status and no report"
if [ "$mutant" = none ]; then
  ! grep -E '^(fail|harness error|expectation|trouble) ' "$out/report.txt" ||
    fail "a rule failed without a defect"
  [ "$status" -eq 0 ] || fail "the run without a defect ended with $status"
else
  grep -q "^fail  $rules " "$out/report.txt" || fail "$rules did not find the defect '$mutant'"
  [ -z "$later" ] || grep -qE "] pass [^(]*\(.*$later[,;]" "$out/output" ||
    fail "after the case that found the defect '$mutant' $later was not decided"
fi
