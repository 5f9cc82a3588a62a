#!/bin/sh
# command_line_test.sh FAKEGPUCTL LIBRARY: what a user meets on the command line, wrong input above all: one
# line, exit code 2, nothing left behind.
set -u
fakegpuctl=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/run/state"
failures=0

fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# refused NAME PATTERN ARGUMENT...: exit code 2 and one line on stderr that has the pattern.
refused() {
  name=$1
  pattern=$2
  shift 2
  "$fakegpuctl" "$@" > "$directory/out" 2> "$directory/err"
  code=$?
  [ "$code" -eq 2 ] || fail "$name: exit code $code, not 2"
  [ "$(wc -l < "$directory/err")" -eq 1 ] || fail "$name: not one line: $(cat "$directory/err")"
  grep -q -- "$pattern" "$directory/err" || fail "$name: no \"$pattern\" in: $(cat "$directory/err")"
  [ ! -s "$directory/out" ] || fail "$name: it wrote to stdout"
}

accepted() {
  name=$1
  shift
  "$fakegpuctl" "$@" > "$directory/out" 2> "$directory/err" ||
    fail "$name: $(cat "$directory/err")"
}

refused "no command" "--help"
refused "unknown command" "frob" frob
refused "unknown flag" "--frob" show --frob
refused "no node yet" "there is no such file" show
printf 'name: x\nspeed: 3\n' > "$directory/node.yaml"
refused "wrong node" "node.yaml:2: speed" create "$directory/node.yaml"
refused "no node file" "none.yaml" create "$directory/none.yaml"
[ ! -e "$directory/run" ] || fail "a refused create left something behind"

accepted "create" create fixtures/nodes/dgx-h100.yaml
refused "create twice" "already" create fixtures/nodes/dgx-h100.yaml
accepted "replace" create --replace fixtures/nodes/dgx-a100.yaml
accepted "show" show
grep -q "A100" "$directory/out" || fail "show: no A100 in $(cat "$directory/out")"
refused "unknown fault" "expected xid=N" inject 0 fire
refused "unknown GPU" "from 0 to 7" inject 9 lost
refused "one bad fault of two" "expected xid=N" inject 0 lost fire
accepted "show after" show
! grep -q "lost" "$directory/out" || fail "a refused inject left a fault behind"
accepted "inject" inject 0 lost thermal=95
accepted "show lost" show
grep -q "lost" "$directory/out" || fail "show: no lost GPU in $(cat "$directory/out")"
accepted "heal" heal all
refused "no NVML" "/nowhere/libnvidia-ml.so.1" capture --library /nowhere/libnvidia-ml.so.1 "$directory/captured"
[ ! -e "$directory/captured" ] || fail "a refused capture left something behind"
accepted "capture" capture --library "$2" "$directory/captured"
"$fakegpuctl" --state "$directory/copy" create "$directory/captured/node.yaml" > "$directory/out" ||
  fail "the node of a capture"
accepted "show" show -o json
uuids=$(grep uuid "$directory/out")
[ "$("$fakegpuctl" --state "$directory/copy" show -o json | grep uuid)" = "$uuids" ] ||
  fail "capture: another node"
printf 'name: x\nsteps:\n  - {at: 1s, gpu: 0, inject: fire}\n' > "$directory/scenario.yaml"
refused "wrong scenario" "scenario.yaml:3: steps\[0\].inject: .*expected xid=N" play "$directory/scenario.yaml"
accepted "play" play --at-once fixtures/scenarios/gpu/falls-off-the-bus.yaml
grep -q "^45.000 GPU 3: xid=79$" "$directory/out" || fail "play: $(cat "$directory/out")"
accepted "calls on" calls on
accepted "a client" capture --library "$2" "$directory/again"
accepted "calls off" calls off
accepted "calls show" calls show --last 1
grep -Eq " fakegpuctl +nvmlInit_v2 +0 +1$" "$directory/out" || fail "calls show: $(cat "$directory/out")"
grep -Eq "Z [0-9]+ nvmlShutdown GPU -: 0$" "$directory/out" || fail "calls show --last: $(cat "$directory/out")"
accepted "calls of nobody" calls show -o json --process 1
grep -q '"processes": \[\]' "$directory/out" || fail "calls of nobody: $(cat "$directory/out")"
rm "$ASSAY_FAKEGPU_STATE.calls"
refused "no call log" "state.calls: there is no such file" calls show
accepted "help" --help
accepted "help of a command" inject --help
grep -q "power-brake" "$directory/out" || fail "inject --help does not teach the faults"
accepted "completion" completion bash
bash -n "$directory/out" || fail "the completion script is no bash"

[ "$failures" -eq 0 ]
