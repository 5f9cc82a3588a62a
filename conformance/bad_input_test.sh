#!/usr/bin/env bash
# What `assay certify` does with input that is wrong, and with testees that misbehave.
#
# usage: bad_input_test.sh ASSAY
set -euo pipefail
assay=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "bad_input_test: $1" >&2
  cat output >&2
  exit 1
}
# expect_refusal TEXT ARGUMENTS...: one line with TEXT, exit 2, nothing left behind.
expect_refusal() {
  local text=$1 status=0
  shift
  "$assay" "$@" >output 2>&1 || status=$?
  [ "$status" -eq 2 ] || fail "'$*' ended with $status, not 2"
  [ "$(wc -l <output)" -eq 1 ] || fail "'$*' wrote more than one line"
  grep -qF -- "$text" output || fail "'$*' did not say: $text"
  [ ! -e assay-report ] || fail "'$*' left a report"
}
# profile NAME SCRIPT READY: a testee that is a shell script.
profile() {
  cat >"$1.yaml" <<END
name: $1
driver: $1.example.com
start:
  command: [/bin/sh, -c, '$2']
  ready: $3
stop: {timeout: 2s}
END
}
# expect_trouble NAME TEXT: not conformant, and the report says why.
expect_trouble() {
  local status=0
  "$assay" certify --testee "$1.yaml" --filter REG-05 --out "$1" >output 2>&1 || status=$?
  [ "$status" -eq 1 ] || fail "the testee $1 ended with $status, not 1"
  grep -qF -- "$2" "$1/report.txt" || fail "the report on $1 does not say: $2"
}

expect_refusal 'no-such.yaml' certify --testee no-such.yaml
expect_refusal '--no-such-flag' certify --no-such-flag
expect_refusal 'no-such-command' no-such-command
expect_refusal "there is no rule 'PREP-99'" rules PREP-99
profile good 'exit 0' 5s
expect_refusal "'NOPE-01' selects no case" certify --testee good.yaml --filter NOPE-01
sed 's/ready: 5s/ready: soon/' good.yaml >bad.yaml
expect_refusal 'bad.yaml:5: start.ready: ' certify --testee bad.yaml
sed 's/driver: .*/driver: Not_A_Name/' good.yaml >bad.yaml
expect_refusal 'bad.yaml:2: driver: ' certify --testee bad.yaml
sed 's#/bin/sh#/no/such/program#' good.yaml >bad.yaml
expect_refusal '/no/such/program' certify --testee bad.yaml

profile ends 'echo it is broken; exit 3' 10s
expect_trouble ends 'exited with 3; it wrote: it is broken'
profile hangs 'setsid sleep 98765.4321 & exec sleep 98765.4321' 1s
expect_trouble hangs 'did not register in time'
for process in /proc/[0-9]*/cmdline; do
  if tr '\0' ' ' <"$process" 2>/dev/null | grep -qF '98765.4321'; then
    fail "the testee 'hangs' left $process"
  fi
done
profile floods 'exec yes' 60s
expect_trouble floods 'flooded its output'
