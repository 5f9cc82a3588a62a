#!/usr/bin/env bash
# `assay lab -f` creates what manifests say, and tells what becomes of pods and claims.
#
# usage: lab_test.sh ASSAY
set -euo pipefail
assay=$1
share=$(dirname "$assay")/../share/assay
work=$(mktemp -d)
trap 'kill "$lab" 2>/dev/null || true; rm -rf "$work"' EXIT
lab=

# run TESTEE MANIFEST EXPECTED...: a lab that says each of these lines (extended regular expressions), in any order.
run() {
  local testee=$1 manifest=$2
  shift 2
  mkfifo "$work/out"
  "$assay" lab --testee "$share/testees/$testee" -f "$share/claims/$manifest" >"$work/out" 2>"$work/err" &
  lab=$!
  local line missing=("$@") left
  exec 3<"$work/out"
  while [ ${#missing[@]} -gt 0 ]; do
    IFS= read -r -t 60 line <&3 || {
      cat "$work/err"
      printf 'lab_test: %s with %s did not say: %s\n' "$manifest" "$testee" "${missing[@]}" >&2
      exit 1
    }
    left=()
    for expected in "${missing[@]}"; do
      [[ $line =~ ^$expected$ ]] || left+=("$expected")
    done
    missing=(${left[@]+"${left[@]}"})
  done
  kill -TERM "$lab"
  cat <&3 >/dev/null
  wait "$lab"
  exec 3<&-
  rm "$work/out"
}

run driver-ref.yaml pod-with-one-gpu.yaml 'pod default/one-gpu: Running' 'claim default/one-gpu-gpu-.*: has gpu-[0-9a-f-]+'
run driver-ref.yaml large-gpu-or-two-small.yaml 'pod default/trainer: Running' 'claim default/large-or-two: has gpu-[0-9a-f-]+'
run driver-ref.yaml extended-resource.yaml 'pod default/classic: Running' 'claim default/classic-extended-resources-.*: has gpu-[0-9a-f-]+ gpu-[0-9a-f-]+'
run driver-ref.yaml two-pods-one-claim.yaml 'pod default/reader-a: Running' 'pod default/reader-b: Running'
run driver-ref-features.yaml shares-of-a-gpu.yaml 'pod default/share-[abc]: Running'
if [ "$(id -u)" -eq 0 ]; then # Dividing GPUs is root's.
  run driver-ref-mig.yaml any-gpu-of-20-gigabytes.yaml 'pod default/any-20g: Running'
fi

echo 'kind: Pod' >"$work/bad.yaml"
if "$assay" lab -f "$work/bad.yaml" >"$work/bad.out" 2>&1; then exit 1; fi
grep -q "bad.yaml:1: no kind \"Pod\" of apiVersion \"\" is known" "$work/bad.out" || { cat "$work/bad.out"; exit 1; }
