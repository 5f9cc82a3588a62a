#!/usr/bin/env bash
# The cases of a run are divided among processes, and among machines: every case runs once, one
# process that dies costs one case, and an interrupted run says so and leaves nothing.
#
# usage: workers_test.sh ASSAY
set -euo pipefail
assay=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  head -n 100 "$work/output" || true
  echo "workers_test: $1" >&2
  exit 1
}
start() { # FLAGS: a run, as $run; $lines is what it writes
  : >"$work/output"
  exec {lines}< <(TMPDIR=$work/tmp exec "$assay" certify --filter "$@" --out "$work/out" 2>&1)
  run=$!
}
read_until() { # PATTERN: reads its lines up to one that matches
  while IFS= read -r line <&"$lines"; do
    echo "$line" >>"$work/output"
    [[ ! $line =~ $1 ]] || return 0
  done
  fail "the run ended before '$1' came"
}
end() { # reads the rest; its exit code becomes $status
  cat <&"$lines" >>"$work/output"
  exec {lines}<&-
  status=0
  wait "$run" || status=$?
  [ -z "$(ls "$work/tmp")" ] || fail "it leaves $(ls "$work/tmp")"
}
mkdir "$work/tmp"

# Shards are parts of the whole, and those that decide a rule stay together.
for i in 1 2 3; do
  "$assay" certify --list --shard $i/3 >"$work/shard$i"
done
"$assay" certify --list | sort >"$work/all"
sort "$work"/shard? | cmp - "$work/all"
tr ' ' '\n' <"$work/all" | grep -E '^[A-Z]+-[0-9]+$' | sort -u | while read -r rule; do
  [ "$(grep -lE " $rule( |\$)" "$work"/shard? | wc -l)" -eq 1 ] || fail "$rule is in two shards"
done
status=0
"$assay" certify --shard 4/3 >"$work/output" 2>&1 || status=$?
[ "$status" -eq 2 ] && grep -q -- "--shard: '4/3': expected I/N" "$work/output" || fail "shard 4/3"

# A process that is killed costs the case that it was in, at most; the others go on.
start 'PREP:UNPR' --jobs 2
read_until '^\[5/'
read -r victim _ <"/proc/$run/task/$run/children" || true # The file has no end of line.
kill -KILL "$victim"
end
[ "$status" -eq 2 ] || fail "with a worker killed the run ended with $status"
grep -qE 'the harness itself ended (in this case|between cases): it was ended by signal 9' \
  "$work/output" || fail "nothing is said of the worker that was killed"
total=$(sed -nE 's/^\[1\/([0-9]+)\] .*/\1/p' "$work/output")
passed=$(grep -cE '^\[[0-9]+/[0-9]+\] (pass|n/a|undecidable) ' "$work/output")
[ "$passed" -ge $((total - 1)) ] || fail "only $passed of $total cases were decided"

# Who interrupts gets a report of what ran, and no verdict.
start 'PREP:UNPR' --jobs 2
read_until '^\[2/'
kill -TERM "$run"
end
[ "$status" -eq 2 ] || fail "the interrupted run ended with $status"
grep -q '^trouble  the run was interrupted' "$work/out/report.txt" || fail "no report says so"
echo "workers_test: $passed of $total cases with a worker killed"
