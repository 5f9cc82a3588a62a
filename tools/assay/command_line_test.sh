#!/usr/bin/env bash
# The command line of `assay`: allocate, rules, completion, help, version.
#
# usage: command_line_test.sh ASSAY
set -euo pipefail
assay=$1
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "command_line_test: $1" >&2
  cat output >&2
  exit 1
}
# expect STATUS TEXT ARGUMENTS...
expect() {
  local status=0 expected=$1 text=$2
  shift 2
  "$assay" "$@" >output 2>&1 || status=$?
  [ "$status" -eq "$expected" ] || fail "'$*' ended with $status, not $expected"
  grep -qF -- "$text" output || fail "'$*' did not say: $text"
}

expect 1 'gpu.example.com/node-1/gpu-1' allocate "$here/testdata/two-gpus.yaml"
expect 1 '2 devices: 2 allocated' allocate "$here/testdata/two-gpus.yaml" --explain
expect 2 'no-such.yaml' allocate no-such.yaml

expect 0 'tested   PrepareAgain.OfADeviceForAnotherClaimIsRefused' rules PREP-45
expect 0 '"id": "CDI-01"' rules --area CDI --output json
expect 2 "there is no area 'XYZ'" rules --area XYZ

for shell in bash zsh; do
  expect 0 'complete -o default -F _assay assay' completion "$shell"
done
"$assay" completion bash | bash -n
expect 2 'fish' completion fish
expect 0 'assay certify --testee my-driver.yaml' --help
for command in certify rules lab allocate explain what-if completion; do
  expect 0 'Examples:' "$command" --help
done
expect 0 'assay 0.' version
expect 0 'assay 0.' --version
expect 2 'assay lab --help' lab --no-such-flag
