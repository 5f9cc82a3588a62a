#!/bin/sh
# run_test.sh FAKEGPUCTL: what a program sees that fakegpuctl runs in a view of the node.
set -u
fakegpuctl=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/state"
failures=0

fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# expect NAME WANTED SCRIPT: the script's output in the view.
expect() {
  found=$("$fakegpuctl" run -- sh -c "$3" 2>&1)
  [ "$found" = "$2" ] || fail "$1: \"$found\", not \"$2\""
}

"$fakegpuctl" create fixtures/nodes/dgx-h100.yaml > "$directory/out" || fail "create"
if ! "$fakegpuctl" run -- true 2> "$directory/err"; then
  if grep -q "a view of the node needs" "$directory/err"; then
    [ "$(wc -l < "$directory/err")" -eq 1 ] || fail "not one line: $(cat "$directory/err")"
    echo "SKIPPED: $(cat "$directory/err")"
    exit $((failures == 0 ? 77 : 1))
  fi
  fail "run: $(cat "$directory/err")"
fi

before=$(cat /proc/self/mountinfo; ls /dev /proc/driver /sys/bus/pci/devices 2> /dev/null)
gpu=/sys/bus/pci/devices/0000:43:00.0
expect "vendor" "0x10de" "cat $gpu/vendor"
expect "PCIe root" "../../../devices/pci0000:3d/0000:3d:01.0/0000:43:00.0" "readlink $gpu"
expect "driver" "nvidia" "basename \$(readlink -f $gpu/driver)"
expect "all GPUs" "8" "grep -l 0x030200 /sys/bus/pci/devices/*/class | wc -l"
expect "device" "character special file" "stat -c %F /dev/nvidia7"
expect "no more devices" "no" "test -e /dev/nvidia8 && echo yes || echo no"
expect "minor in MIG's list" "gpu6/gi11/ci7/access 920" \
  "grep gpu6/gi11/ci7 /proc/driver/nvidia-caps/mig-minors"
expect "capability device" "character special file" "stat -c %F /dev/nvidia-caps/nvidia-cap920"
expect "majors" "1" "grep -c ' nvidia-caps\$' /proc/devices"
expect "information" "Device Minor: 	 1" \
  "grep Minor /proc/driver/nvidia/gpus/0000:43:00.0/information"
expect "state" "$directory/state" 'echo $ASSAY_FAKEGPU_STATE'
expect "library" "yes" 'test -e "${LD_LIBRARY_PATH%%:*}/libnvidia-ml.so.1" && echo yes'
expect "the machine's own" "$(ls -d /dev/null /dev/pts /dev/urandom /sys/devices/system)" \
  "ls -d /dev/null /dev/pts /dev/urandom /sys/devices/system"
expect "a null that works" "" "cat /dev/null; echo lost > /dev/null"
expect "user" "$(id -u)" "id -u"

# Without root it takes a user namespace, and /dev/null is every device.
anybody="setpriv --reuid 65534 --regid 65534 --clear-groups"
chmod 755 "$directory"
if [ "$(id -u)" -eq 0 ] && $anybody test -x "$fakegpuctl" 2> /dev/null && $anybody unshare -U true; then
  found=$($anybody "$fakegpuctl" run -- sh -c \
    "id -u; cat $gpu/vendor; stat -c %F /dev/nvidia7; cat /dev/nvidia7; ls /proc/driver" 2>&1)
  [ "$found" = "$(printf '65534\n0x10de\ncharacter special file\nnvidia\nnvidia-caps')" ] ||
    fail "without root: $found"
fi
# Where neither is to be had it says so.
if unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces' 2> /dev/null; then
  unshare -Ur sh -c "echo 0 > /proc/sys/user/max_user_namespaces &&
    exec setpriv --bounding-set -all --no-new-privs '$fakegpuctl' run -- true" 2> "$directory/err"
  [ $? -eq 2 ] || fail "neither root nor user namespaces: exit code"
  [ "$(wc -l < "$directory/err")" -eq 1 ] || fail "not one line: $(cat "$directory/err")"
  grep -q "needs root or user namespaces" "$directory/err" || fail "$(cat "$directory/err")"
fi

"$fakegpuctl" root "$directory/root" > "$directory/out" || fail "root"
[ -s "$directory/root/usr/lib64/libnvidia-ml.so.1" ] || fail "the root has no library"

"$fakegpuctl" run -- sh -c 'exit 37'
[ $? -eq 37 ] || fail "exit code"
"$fakegpuctl" run -- sh -c 'kill -TERM $$'
[ $? -eq 143 ] || fail "ended by a signal"
"$fakegpuctl" run -- /nowhere/program 2> "$directory/err"
[ $? -eq 127 ] || fail "a program that is not there"
grep -q "/nowhere/program: No such file" "$directory/err" || fail "$(cat "$directory/err")"

# A signal to fakegpuctl is the program's.
mkfifo "$directory/ready"
"$fakegpuctl" run -- sh -c "trap 'exit 9' TERM; echo > '$directory/ready'; while :; do :; done" &
program=$!
read -r _ < "$directory/ready"
kill -TERM "$program"
wait "$program"
[ $? -eq 9 ] || fail "a signal is passed on"

# A GPU that is unplugged leaves the view of a program that runs, and comes back.
"$fakegpuctl" unplug 3 || fail "unplug"
expect "an unplugged GPU" "no" "test -e /dev/nvidia3 && echo yes || echo no"
"$fakegpuctl" replug 3 || fail "replug"
expect "hot unplug" "gone, back" "
  '$fakegpuctl' unplug 3 &&
  while test -e /sys/bus/pci/devices/0000:61:00.0 || test -e /dev/nvidia3; do :; done &&
  '$fakegpuctl' replug 3 &&
  while ! test -e /sys/bus/pci/devices/0000:61:00.0 || ! test -e /dev/nvidia3; do :; done &&
  echo gone, back"

# Nothing stays: no process in the namespace, nothing in the machine's own places.
namespace=$("$fakegpuctl" run -- readlink /proc/self/ns/mnt)
while for process in /proc/[0-9]*; do readlink "$process/ns/mnt"; done 2> /dev/null |
  grep -qF "$namespace"; do :; done
[ "$before" = "$(cat /proc/self/mountinfo; ls /dev /proc/driver /sys/bus/pci/devices 2> /dev/null)" ] ||
  fail "it left something behind"

[ "$failures" -eq 0 ]
