#!/usr/bin/env bash
# The reference driver conforms, and keeps every rule that is tested, the derived ones too; and two
# certifications at once do not meet.
#
# usage: driver_ref_test.sh ASSAY TESTEE
set -euo pipefail
assay=$1 testee=$2
case $testee in
  *-mig.yaml)
    [ "$(id -u)" -eq 0 ] || {
      echo "driver_ref_test: skipped: dividing GPUs is root's"
      exit 77
    }
    ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$assay" certify --testee "$testee" --filter 'REG:PREP-01:UNPR-09' --out "$work/other" >"$work/other.txt" 2>&1 &
other=$!
"$assay" certify --testee "$testee" --jobs 2 --out "$work/report"
! grep -E '^(fail|expected failure|harness error|expectation|trouble)  ' "$work/report/report.txt"
[ -s "$work/report/logs/1/driver-1.log" ]
# What it leaves can be verified, and no longer once a verdict was touched.
"$assay" verify "$work/report/bundle.json"
sed 's/"verdict": "not applicable"/"verdict": "pass"/' "$work/report/bundle.json" >"$work/forged.json"
! cmp -s "$work/report/bundle.json" "$work/forged.json"
status=0
"$assay" verify "$work/forged.json" 2>"$work/refusal" || status=$?
[ "$status" -eq 2 ] && grep -q altered "$work/refusal"
wait "$other" || {
  cat "$work/other.txt"
  echo "driver_ref_test: the certification beside it failed" >&2
  exit 1
}
