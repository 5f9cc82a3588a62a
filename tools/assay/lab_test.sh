#!/usr/bin/env bash
# `assay lab -f` creates what manifests say, and tells what becomes of pods and claims.
#
# usage: lab_test.sh ASSAY
set -euo pipefail
assay=$1
share=$(dirname "$assay")/../share/assay
work=$(mktemp -d)
trap 'kill "$lab" 2>/dev/null || true; rm -rf "$work"' EXIT
lab='' files='' device=''

# pods MANIFEST: what the lab says when they run.
pods() {
  awk '/^---/ { kind = ""; namespace = "default"; name = ""; top = 0 }
       BEGIN { namespace = "default" }
       /^kind:/ { kind = $2 }
       /^metadata:/ { top = 1; next }
       /^[a-z]/ { if (top && kind == "Pod") print "pod " namespace "/" name ": Running"; top = 0 }
       top && /^  name:/ { name = $2 }
       top && /^  namespace:/ { namespace = $2 }' "$1"
}

# hear EXPECTED...: until the lab has said each of these lines (extended regular expressions), in any order. Notes
# where the lab's files are, and the last device that a claim got.
hear() {
  local line missing=("$@") left
  while [ ${#missing[@]} -gt 0 ]; do
    IFS= read -r -t 60 line <&3 || {
      cat "$work/err"
      printf 'lab_test: %s did not say: %s\n' "$manifest" "${missing[@]}" >&2
      exit 1
    }
    [[ $line =~ ^Node:.*below\ (.*)$ ]] && files=${BASH_REMATCH[1]}
    [[ $line =~ ^claim.*:\ has\ (.*)$ ]] && device=${BASH_REMATCH[1]}
    left=()
    for expected in "${missing[@]}"; do
      [[ $line =~ ^$expected$ ]] || left+=("$expected")
    done
    missing=(${left[@]+"${left[@]}"})
  done
}

# afterwards SCENARIO: does what its text says once its pods run, and says what the lab will tell.
afterwards() {
  case $1 in
    failing-gpu)
      echo 'pod default/worker: gone'
      "$(dirname "$assay")/fakegpuctl" --state "$files/fakegpu/state" inject "GPU-${device#gpu-}" xid=79 >&2
      ;;
  esac
}

# run MANIFEST EXPECTED...: the lab that the manifest's own command starts says each of these lines, and what
# comes of afterwards.
run() {
  local manifest=$share/claims/$1 command
  shift
  command=$(sed -n 's/^# *\(.*: \)\{0,1\}assay lab\( .*\)\{0,1\} -f this file\.\{0,1\}$/\2/p' "$manifest")
  [ "$(grep -c 'assay lab.* -f this file' "$manifest")" -eq 1 ] || {
    echo "lab_test: $manifest does not say how to see it" >&2
    exit 1
  }
  command=${command//share\/assay/$share}
  mkfifo "$work/out"
  # shellcheck disable=SC2086
  "$assay" lab $command -f "$manifest" >"$work/out" 2>"$work/err" &
  lab=$!
  exec 3<"$work/out"
  hear "$@"
  mapfile -t expected < <(afterwards "$(basename "$manifest" .yaml)")
  hear ${expected[@]+"${expected[@]}"}
  kill -TERM "$lab"
  cat <&3 >/dev/null
  wait "$lab"
  exec 3<&-
  rm "$work/out"
}

# Every pod of every manifest runs; some have more to say.
more() {
  case $1 in
    pod-with-one-gpu) echo 'claim default/one-gpu-gpu-.*: has gpu-[0-9a-f-]+' ;;
    large-gpu-or-two-small) echo 'claim default/large-or-two: has gpu-[0-9a-f-]+' ;;
    extended-resource) echo 'claim default/classic-extended-resources-.*: has gpu-[0-9a-f-]+ gpu-[0-9a-f-]+' ;;
    gpus-of-one-nvlink-domain) echo 'claim default/trainer-.*: has( gpu-[0-9a-f-]+){4}' ;;
    sub-slices-of-a-tpu) printf 'claim default/layer-.*: has tpu-2x2x1-0-0-%s\n' 0 1 ;;
    gpu-and-nic-of-one-pcie-root) echo 'claim default/receiver-.*: has gpu-[0-9a-f-]+ nic-[0-3]' ;;
    shares-of-a-nic) echo 'claim default/bonded-.*: has nic-[0-3] nic-[0-3]' ;;
    gang-in-one-nvlink-domain) echo 'claim default/training-.*: has nvlink-0e6d2f4c-.*-1' ;;
    admin-access) echo 'claim gpu-admin/look: has( gpu-[0-9a-f-]+){8}' ;;
  esac
}
for manifest in "$share"/claims/*.yaml; do
  name=$(basename "$manifest" .yaml)
  # A claim alone, for `assay allocate`.
  [ "$name" != two-gpus-of-one-model ] || continue
  # Dividing GPUs is root's.
  [ "$name" != any-gpu-of-20-gigabytes ] || [ "$(id -u)" -eq 0 ] || continue
  mapfile -t expected < <(pods "$manifest" && more "$name")
  [ "${#expected[@]}" -gt 0 ]
  run "$name.yaml" "${expected[@]}"
done

echo 'kind: Pod' >"$work/bad.yaml"
if "$assay" lab -f "$work/bad.yaml" >"$work/bad.out" 2>&1; then exit 1; fi
grep -q "bad.yaml:1: no kind \"Pod\" of apiVersion \"\" is known" "$work/bad.out" || { cat "$work/bad.out"; exit 1; }
