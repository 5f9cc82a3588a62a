#!/usr/bin/env bash
# Builds programs of Kubernetes v1.36.3 from its Go module, unchanged: the driver of its end-to-end
# tests, and kubectl. What is there already is not built again.
#
# usage: build.sh FOLDER test-driver|kubectl...
#
# Exit code 77, with a word why, where there is no Go or the modules cannot be fetched.
set -euo pipefail
folder=$1
shift
mkdir -p "$folder"
folder=$(readlink -f "$folder")
cd "$(dirname "$(readlink -f "$0")")"

for program in "$@"; do
  case $program in
    test-driver) package=k8s.io/kubernetes/test/e2e/dra/test-driver ;;
    kubectl) package=k8s.io/kubernetes/cmd/kubectl ;;
    *) echo "build.sh: unknown program '$program'; expected test-driver or kubectl" >&2; exit 2 ;;
  esac
  if [ -x "$folder/$program" ] && [ "$folder/$program" -nt go.mod ]; then
    continue
  fi
  # Two tests may want the same program at the same time.
  exec 9>"$folder/.lock"
  flock 9
  [ ! -x "$folder/$program" ] || continue
  echo "Building $program of Kubernetes v1.36.3"
  ../build.sh . "$folder/$program.new" "$package"
  mv "$folder/$program.new" "$folder/$program"
done
