#!/usr/bin/env bash
# The real kubectl against `assay lab`: get, apply, wait, delete.
#
# usage: kubectl_test.sh ASSAY FOLDER
#
#   FOLDER   where kubectl is built
set -euo pipefail
assay=$1 folder=$2
here=$(dirname "$(readlink -f "$0")")
fixtures=$here/../../../fixtures
"$here/build.sh" "$folder" kubectl
work=$(mktemp -d)
lab=
finish() {
  [ -z "$lab" ] || { kill "$lab" 2>/dev/null && wait "$lab" || true; }
  rm -rf "$work"
}
trap finish EXIT

mkfifo "$work/output"
"$assay" lab --kubeconfig "$work/kubeconfig" >"$work/output" 2>&1 &
lab=$!
exec 3<"$work/output"
up=
while IFS= read -r -t 60 line <&3; do
  echo "lab: $line"
  [[ $line != "Ctrl-C ends the lab."* ]] || { up=1; break; }
done
[ -n "$up" ] || { echo "kubectl_test: the lab did not come up" >&2; exit 1; }

export KUBECONFIG=$work/kubeconfig HOME=$work
kubectl() { "$folder/kubectl" "$@"; }
kubectl get nodes,resourceslices
[ "$(kubectl get resourceslices -o name | wc -l)" -ge 1 ]
kubectl apply -f "$fixtures/claims/pod-with-one-gpu.yaml"
kubectl wait --for=jsonpath='{.status.phase}'=Running pod/one-gpu --timeout=60s
kubectl get resourceslices,resourceclaims,pods -A
kubectl get resourceclaims -o jsonpath='{.items[0].status.allocation.devices.results[0].driver}' |
  grep -qx gpu.assay.dev
# Unchanged, applied again.
kubectl apply -f "$fixtures/claims/pod-with-one-gpu.yaml" | grep -q 'pod/one-gpu unchanged'
kubectl delete pod one-gpu --timeout=60s
kubectl wait --for=delete resourceclaims --all --timeout=60s
[ -z "$(kubectl get resourceclaims -o name)" ]
kubectl delete -f "$fixtures/claims/pod-with-one-gpu.yaml" --ignore-not-found

# The driver may what its manifest says.
rbac=$here/../../../driver-ref/rbac.yaml
grep -qx 'clusterrole.rbac.authorization.k8s.io/dra-driver-ref configured' <<<"$(kubectl apply -f "$rbac")"
grep -qx 'clusterrole.rbac.authorization.k8s.io/dra-driver-ref unchanged' <<<"$(kubectl apply -f "$rbac")"
can_get_claims() {
  kubectl auth can-i get resourceclaims --as=system:serviceaccount:kube-system:dra-driver-ref || true
}
[ "$(can_get_claims)" = yes ]
kubectl delete clusterrolebinding dra-driver-ref
[ "$(can_get_claims)" = no ]
grep -qx 'clusterrolebinding.rbac.authorization.k8s.io/dra-driver-ref created' <<<"$(kubectl apply -f "$rbac")"
[ "$(can_get_claims)" = yes ]
