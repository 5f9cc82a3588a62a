#!/usr/bin/env bash
# Every case names rules that exist, of one feature, and enough rules of the base profile are decided.
#
# usage: coverage_test.sh ASSAY
set -euo pipefail
assay=$1
# Fails by itself for a case without rules, a rule that is none, or a mixture of features.
cases=$("$assay" certify --list)
decided=$(tr ' ' '\n' <<<"$cases" | grep -E '^[A-Z]+-[0-9]+$' | sort -u)
echo "$(wc -l <<<"$cases") cases decide $(wc -l <<<"$decided") rules"
base=$(grep -cE '^(REG|PREP|UNPR|CKPT|CDI|SLICE)-' <<<"$decided")
echo "$base of them are of REG, PREP, UNPR, CKPT, CDI and SLICE"
[ "$base" -ge 90 ]
# What drivers are expected to fail are cases that there are, and each file is some testee's.
for file in fixtures/testees/*.expectations; do
  grep -qxF "expectations: $(basename "$file")" fixtures/testees/*.yaml ||
    { echo "no testee names $file" >&2; exit 1; }
  while read -r name _; do
    grep -qE "^$name " <<<"$cases" || { echo "$file: there is no case $name" >&2; exit 1; }
  done < <(grep -vE '^(#|$)' "$file")
done
# What is not decided is listed as such.
all=$("$assay" rules | grep -cE '^[A-Z]+-[0-9]+  ')
untested=$("$assay" rules --untested | grep -cE '^[A-Z]+-[0-9]+  ')
[ "$all" -eq 328 ]
[ $((all - untested)) -eq "$(wc -l <<<"$decided")" ]
