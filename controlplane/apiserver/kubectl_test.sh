#!/usr/bin/env bash
# The real kubectl against the API server: reading, applying, patching, waiting, deleting.
#
# usage: kubectl_test.sh SERVER FOLDER
#
#   SERVER   apiserver_for_tests
#   FOLDER   where kubectl is built, if it is not there
#
# Exit code 77, with a word why, where it cannot be built.
set -euo pipefail
server=$1 folder=$2
here=$(dirname "$(readlink -f "$0")")
"$here/../../tools/peers/upstream-test-driver/build.sh" "$folder" kubectl
kubectl=$folder/kubectl
work=$(mktemp -d)
mkfifo "$work/commands" "$work/answers"
"$server" "$work" <"$work/commands" >"$work/answers" &
pid=$!
exec 3>"$work/commands" 4<"$work/answers"
finish() {
  exec 3>&-
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
read -r -t 30 ready <&4
[[ $ready == ready* ]]
export KUBECONFIG=$work/kubeconfig HOME=$work

failures=0
# expect PATTERN ARGUMENTS...: the output matches, whatever the exit code.
expect() {
  local pattern=$1 output
  shift
  output=$(timeout 30 "$kubectl" "$@" 2>&1) || true
  if ! grep -qE -- "$pattern" <<<"$output"; then
    echo "kubectl $*: expected /$pattern/, got:" >&2
    echo "$output" >&2
    failures=$((failures + 1))
  fi
}

cat >"$work/objects.yaml" <<'YAML'
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec:
  selectors:
  - cel: {expression: device.driver == 'gpu.example.com'}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: slice}
spec:
  driver: gpu.example.com
  nodeName: node-1
  pool: {name: node-1, generation: 1, resourceSliceCount: 1}
  devices:
  - name: gpu-0
    attributes: {model: {string: H100}}
    capacity: {memory: {value: 80Gi}}
---
apiVersion: resource.k8s.io/v1beta1
kind: ResourceClaimTemplate
metadata: {name: template}
spec:
  spec: {devices: {requests: [{name: gpu, deviceClassName: gpu}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, labels: {app: a}}
spec:
  containers: [{name: c, image: busybox, resources: {claims: [{name: gpu}]}}]
  resourceClaims: [{name: gpu, resourceClaimTemplateName: template}]
YAML

expect 'Server Version: v1\.36' version
expect 'resourceslices +resource\.k8s\.io/v1 +false +ResourceSlice' api-resources
expect 'pod/pod created' apply -f "$work/objects.yaml"
expect 'pod/pod unchanged' apply -f "$work/objects.yaml"
expect 'pod/pod serverside-applied' apply --server-side -f "$work/objects.yaml" --force-conflicts
expect 'slice +node-1 +gpu\.example\.com +node-1 +[0-9]+s' get resourceslices
expect 'pod +0/1 +Pending' get pods -A -o wide
expect 'deviceClassName: gpu' get resourceclaimtemplates template -o yaml
expect '^80Gi$' get resourceslice slice -o 'jsonpath={.spec.devices[0].capacity.memory.value}'
expect '^Name: +pod$' describe pod pod
expect 'Driver: +gpu\.example\.com' describe resourceslice slice
expect 'requests.*<\[\]DeviceRequest>' explain resourceclaim.spec.devices
expect 'requests.*<\[\]Object>' explain resourceclaim.spec.devices --output plaintext-openapiv2
expect 'configmap/dry created \(server dry run\)' create configmap dry --dry-run=server
expect 'pod/pod labeled' label pod pod tier=b
expect 'pod/pod patched' patch pod pod --type=json \
  -p '[{"op":"replace","path":"/metadata/labels/tier","value":"c"}]'
expect '^pod/pod$' get pods -l tier=c -o name
expect 'No resources found' get pods -l tier=b
expect 'pod/pod patched' patch pod pod --subresource=status --type=merge \
  -p '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
expect 'condition met' wait --for=condition=Ready pod/pod --timeout=20s
expect 'unknown field "foo"' create -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"foo":1}'
expect 'spec\.driver: Required value' create -f - <<<'{"apiVersion":"resource.k8s.io/v1","kind":"ResourceSlice","metadata":{"name":"x"},"spec":{"pool":{"name":"p","resourceSliceCount":1},"nodeName":"n"}}'
expect 'server doesn.t have a resource type' get nothings
expect 'kubernetes-admin' auth whoami
expect '^yes$' auth can-i create pods
expect '^ok$' get --raw /readyz

# A watch in the table's form, which ends when the pod is gone.
timeout 30 "$kubectl" get pods --watch --output-watch-events >"$work/watch" &
watch=$!
# await TYPE: the watch tells of the pod, now or soon.
await() {
  timeout 20 grep -qm1 -E "^$1 +pod" < <(tail -n +1 -f --pid="$watch" "$work/watch") || {
    echo "the watch has told of nothing $1" >&2
    failures=$((failures + 1))
  }
}
await ADDED
expect 'pod "pod" deleted' delete pod pod --timeout=20s
expect 'NotFound' get pod pod
await DELETED
kill "$watch" 2>/dev/null || true

expect 'namespace/full created' create namespace full
expect 'configmap/a created' create configmap a -n full
expect 'namespace "full" deleted' delete namespace full --timeout=20s
expect 'NotFound' get namespace full
expect 'deviceclass.*deleted' delete -f "$work/objects.yaml" --ignore-not-found

[ "$failures" -eq 0 ] || { echo "$failures expectations failed" >&2; exit 1; }
echo "kubectl is content"
