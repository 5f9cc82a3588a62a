#!/bin/sh
# usage: fakedevices_test.sh FAKEDEVICES
set -eu
fakedevices=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

# is FILE TEXT
is() {
  [ "$(cat "$tree/$1")" = "$2" ] || {
    echo "fakedevices_test: $1 is \"$(cat "$tree/$1")\", not \"$2\"" >&2
    exit 1
  }
}
# refused CODE MESSAGE COMMAND...
refused() {
  code=$1 message=$2
  shift 2
  got=0
  "$fakedevices" "$@" >"$work/out" 2>&1 || got=$?
  { [ "$got" -eq "$code" ] && grep -q -- "$message" "$work/out"; } || {
    echo "fakedevices_test: $* ended with $got, not $code: $(cat "$work/out")" >&2
    exit 1
  }
}

"$fakedevices" nics "$tree" 2
is nic-1/kind nic
is nic-0/pcie_root pci0000:10
is nic-1/pcie_root pci0000:20
is nic-1/capacity/bandwidth/total 40G
"$fakedevices" nodes "$tree" "$work/dev"
[ -e "$work/dev/infiniband/uverbs0" ] && [ -e "$work/dev/infiniband/uverbs1" ]
"$fakedevices" fail "$tree" nic-0
is nic-0/health lost
"$fakedevices" degrade "$tree" nic-0
is nic-0/health reset
"$fakedevices" heal "$tree" nic-0
is nic-0/health ok
"$fakedevices" set "$tree" nic-0 numa_node 7
is nic-0/numa_node 7
"$fakedevices" unplug "$tree" nic-0
[ ! -e "$tree/nic-0" ]
refused 1 'has no device nic-0' fail "$tree" nic-0
"$fakedevices" plug "$tree" nic-0
is nic-0/numa_node 7
refused 1 'that was unplugged' plug "$tree" nic-0
refused 1 'nic-0 is there already' nics "$tree" 1

"$fakedevices" tpus "$tree" 4x2x1 pod-1
is tpu-0/position 0,0,0
is tpu-7/position 3,1,0
is tpu-7/link_domain pod-1
# The ring of four, and the one neighbour across.
is tpu-0/links 'tpu-1
tpu-3
tpu-4'
[ "$(find "$tree" -maxdepth 1 -name '[a-z]*' | wc -l)" -eq 11 ] # The tree itself, 2 and 8.

refused 2 'is no torus' tpus "$work/other" 2x2
refused 2 'is no torus' tpus "$work/other" 2x0x1
refused 2 'is no number' nics "$work/other" some
refused 2 'of at most 15' nics "$work/other" 16
refused 2 'is no command' explode "$tree" nic-0
refused 2 'Exit codes' fail
refused 1 'is no directory' fail "$work/nothing" nic-0
"$fakedevices" --help | grep -q 'unplug DIR DEVICE'
