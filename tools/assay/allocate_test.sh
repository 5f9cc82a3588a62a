#!/usr/bin/env bash
# `assay allocate`, `explain` and `what-if` as a user runs them: on files, a directory and standard
# input; their output held to goldens, of which ASSAY_UPDATE_GOLDENS=1 accepts what is printed.
#
# usage: allocate_test.sh ASSAY
set -euo pipefail
assay=$1
here=$(dirname "$(readlink -f "$0")")/testdata/allocate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.yaml "$work"
cd "$work"

fail() {
  echo "allocate_test: $1" >&2
  cat output errors >&2
  exit 1
}
# run STATUS ARGUMENTS...: with what it prints in `output` and `errors`.
run() {
  local status=0 expected=$1
  shift
  "$assay" "$@" >output 2>errors || status=$?
  [ "$status" -eq "$expected" ] || fail "'$*' ended with $status, not $expected"
}
# golden NAME: `output` is what the golden has.
golden() {
  if [ -n "${ASSAY_UPDATE_GOLDENS:-}" ]; then
    cp output "$here/$1"
  elif ! diff -u "$here/$1" output; then
    echo "ASSAY_UPDATE_GOLDENS=1 ctest -R assay.allocate accepts it" >&2
    fail "$1 differs"
  fi
}

# The policies.
run 0 allocate -f cluster.yaml -f fitting.yaml
golden first-fit.golden.txt
grep -qF 'note: no Node in the files: took 2 from the slices' errors || fail 'nodes came from nowhere'
run 0 allocate -f cluster.yaml -f fitting.yaml --policy best-fit
golden best-fit.golden.txt
run 1 allocate -f cluster.yaml -f gang.yaml --policy batch
grep -qF 'gang-a: not all fit together' output || fail 'a part of a batch was placed'
grep -q 'gpu.example.com/' output && fail 'a part of a batch was placed'
run 0 allocate -f cluster.yaml -f fitting.yaml --policy batch
run 1 allocate -f cluster.yaml -f gang.yaml --policy first-fit

# The reasons, for people and as JSON.
run 1 allocate -f cluster.yaml -f refused.yaml --explain
golden refused.golden.txt
run 1 explain -f cluster.yaml -f refused.yaml -o json
golden refused.golden.json
run 1 explain -f cluster.yaml -f refused.yaml --claim default/four-together
grep -qF 'no resource.kubernetes.io/numaNode has 4 left, at most 3' output || fail 'constraint unsaid'
grep -qF 'seven-large' output && fail '--claim was not heeded'
run 1 what-if -f cluster.yaml -f refused.yaml -f fitting.yaml
golden what-if.golden.txt

# The level, the gates and DeviceTaintRules, which count where their gate is on.
cat >rule.yaml <<'Y'
apiVersion: resource.k8s.io/v1beta2
kind: DeviceTaintRule
metadata: {name: maintenance}
spec:
  deviceSelector: {driver: gpu.example.com, pool: gpu-1}
  taint: {key: maintenance, effect: NoSchedule}
Y
run 0 allocate -f cluster.yaml -f fitting.yaml -f rule.yaml
golden first-fit.golden.txt
grep -qF 'left out: 1 DeviceTaintRule; the feature gate DRADeviceTaintRules is off' errors ||
  fail 'the rule was passed over in silence'
for on in '--level 1.37' '--feature-gates DRADeviceTaintRules=true'; do
  run 0 allocate -f cluster.yaml -f fitting.yaml -f rule.yaml $on -o json
  grep -q '"node": "gpu-1"' output && fail "a tainted device was taken with $on"
  grep -qF '"node": "gpu-2"' output || fail "the rule reached other pools with $on"
done
run 0 allocate -f cluster.yaml -f fitting.yaml -f rule.yaml --level 1.37 \
  --feature-gates DRADeviceTaintRules=false
golden first-fit.golden.txt
run 1 explain -f cluster.yaml -f fitting.yaml -f rule.yaml --level 1.37 --node gpu-1
grep -qF 'maintenance' output || fail 'the rule is not named as the cause'
run 1 what-if -f cluster.yaml -f fitting.yaml -f rule.yaml --level 1.37 --node gpu-1
run 0 what-if -f cluster.yaml -f fitting.yaml -f rule.yaml --level 1.37
# bug.yaml: v0.36.3 takes three devices of two models for three different ones.
cat >bug.yaml <<'Y'
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: bug}
spec:
  driver: gpu.example.com
  nodeName: gpu-3
  pool: {name: gpu-3, generation: 1, resourceSliceCount: 1}
  devices:
  - {name: a, attributes: {model: {string: x}}}
  - {name: b, attributes: {model: {string: y}}}
  - {name: c, attributes: {model: {string: x}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: three-models, namespace: default}
spec:
  devices:
    requests: [{name: r, exactly: {deviceClassName: gpu, count: 3}}]
    constraints: [{distinctAttribute: gpu.example.com/model}]
Y
run 1 allocate -f cluster.yaml -f bug.yaml --node gpu-3
run 0 allocate -f cluster.yaml -f bug.yaml --node gpu-3 --upstream-defects
# An attribute that a request derives.
sed -e 's/count: 3}}/count: 2, derivedAttributes: [{name: x\/half, expression: "device.driver"}]}}/' \
  -e 's/distinctAttribute: .*/matchAttribute: x\/half}]/' bug.yaml >derived.yaml
run 1 allocate -f cluster.yaml -f derived.yaml --node gpu-3 --level 1.37
grep -qF 'cannot handle request with derived attributes, the feature is disabled' output ||
  fail 'the gate DRADerivedAttributes was not heeded'
run 0 allocate -f cluster.yaml -f derived.yaml --node gpu-3 --level 1.37 \
  --feature-gates DRADerivedAttributes=true

# What is printed as YAML is read again, as allocated, from standard input, a directory and JSON.
run 0 allocate -f cluster.yaml -f fitting.yaml -o yaml
golden fitting.golden.yaml
cp output allocated.yaml
run 2 allocate -f cluster.yaml -f - <allocated.yaml
grep -qF 'no ResourceClaim that is not allocated' errors || fail 'the YAML is not read as allocated'
mkdir directory
cp cluster.yaml directory/a.yaml
cp fitting.yaml directory/b.yaml
run 0 allocate -f directory
golden first-fit.golden.txt
cat cluster.yaml <(echo ---) fitting.yaml | "$assay" allocate -f - >output 2>errors
golden first-fit.golden.txt
run 0 allocate -f cluster.yaml -f fitting.yaml -o json
grep -qF '"node": "gpu-1"' output || fail 'the JSON has no node'
run 0 allocate cluster.yaml fitting.yaml --node gpu-2
grep -qF 'gpu.example.com/gpu-2/gpu-1' output || fail '--node was not heeded'

# What a pod, a list and other kinds are.
cat >pod.yaml <<'Y'
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p, namespace: default}
- apiVersion: resource.k8s.io/v1beta1
  kind: ResourceClaim
  metadata: {name: old, namespace: default}
  spec: {devices: {requests: [{name: gpus, deviceClassName: gpu}]}}
Y
run 0 allocate -f cluster.yaml -f pod.yaml
grep -qF 'note: left out: 1 Pod' errors || fail 'the pod was passed over in silence'
grep -qF 'default/old' output || fail 'v1beta1 was not read'

# Bad input: one line with file, line and field.
# bad TEXT FILE...
bad() {
  local text=$1
  shift
  run 2 allocate "$@"
  [ "$(wc -l <errors)" -eq 1 ] || fail 'bad input got more than one line'
  grep -qF -- "$text" errors || fail "did not say: $text"
}
sed 's/deviceClassName: gpu/className: gpu/' fitting.yaml >misspelt.yaml
bad 'misspelt.yaml:' -f misspelt.yaml
sed 's/count: 3/count: -3/' fitting.yaml >negative.yaml
bad 'negative.yaml:22: spec.devices.requests[0].exactly.count: Invalid value' -f negative.yaml
sed 's/count: 3/count: many/' fitting.yaml >text.yaml
bad 'text.yaml:22: json: cannot unmarshal string into Go struct field' -f text.yaml
sed 's,resource.k8s.io/v1,resource.k8s.io/v9,' fitting.yaml >version.yaml
bad 'version.yaml:2: apiVersion: Invalid value: "resource.k8s.io/v9"' -f version.yaml
sed '/^apiVersion/d' fitting.yaml >no-version.yaml
bad 'no-version.yaml:2: apiVersion: Invalid value: ""' -f no-version.yaml
sed 's/count: 3/count: [/' fitting.yaml >broken.yaml
bad 'broken.yaml:' -f broken.yaml
sed 's/device.driver ==/device.drivr ==/' cluster.yaml >cel.yaml
bad 'cel.yaml:10: spec.selectors[0].cel.expression' -f cel.yaml
bad 'is in fitting.yaml:2 already' -f fitting.yaml -f fitting.yaml
bad 'no-such.yaml' -f no-such.yaml
bad 'no files' --policy best-fit
bad 'unknown compatibility level "1.35"' -f cluster.yaml -f fitting.yaml --level 1.35
bad 'unrecognized feature gate: Nonsense' -f cluster.yaml -f fitting.yaml --feature-gates Nonsense=true
bad '--upstream-defects: level 1.37 has none' -f cluster.yaml --level 1.37 --upstream-defects
bad '--upstream-defects: only --policy first-fit' -f cluster.yaml --policy best-fit --upstream-defects
sed 's/effect: NoSchedule/effect: Never/' rule.yaml >bad-rule.yaml
bad 'bad-rule.yaml:6: spec.taint.effect: Unsupported value' -f bad-rule.yaml
bad 'there is no node gpu-9' -f cluster.yaml -f fitting.yaml --node gpu-9
