#!/bin/sh
# nvidia_smi_test.sh FAKEGPUCTL CACHE: NVIDIA's own nvidia-smi, unmodified, on the fake. It comes as
# Debian's non-free section has it: downloaded and unpacked into CACHE, never installed (it would bring
# the real library). Where that cannot be done the exit code is 77, which CTest counts as skipped.
# LD_LIBRARY_PATH says where the fake library is.
set -u
fakegpuctl=$1
cache=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/state"
failures=0
# No process of this machine has it: nvidia-smi tells the names of those that it has.
pid=4194300

skip() {
  echo "SKIPPED: $1"
  exit 77
}
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# The machine's own Debian sources with another section, in lists of our own.
fetch() {
  sources=/etc/apt/sources.list.d/debian.sources
  [ -e "$sources" ] && command -v apt-get > /dev/null || return 1
  rm -rf "$cache"
  mkdir -p "$cache/sources" "$cache/lists/partial" "$cache/archives/partial" "$cache/root"
  sed 's/^Components:.*/Components: non-free/' "$sources" > "$cache/sources/debian.sources"
  set -- -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$cache/sources" \
    -o Dir::State::Lists="$cache/lists" -o Dir::Cache="$cache" -o Acquire::Retries=0 \
    -o Acquire::http::Timeout=10
  (cd "$cache" && apt-get "$@" update && apt-get "$@" download nvidia-smi &&
    dpkg -x nvidia-smi_*.deb root) > "$cache/log" 2>&1 || return 1
  : > "$cache/ready"
}

[ "$(uname -m)" = x86_64 ] || skip "nvidia-smi is for x86_64"
mkdir -p "$(dirname "$cache")"
[ -e "$cache/ready" ] || fetch || skip "Debian's nvidia-smi cannot be had; see $cache/log"
smi="$cache/root/usr/lib/nvidia/current/nvidia-smi"

# says PATTERN ARGUMENT...: nvidia-smi succeeds and prints the pattern.
says() {
  pattern=$1
  shift
  "$smi" "$@" > "$directory/out" 2>&1
  code=$?
  [ "$code" -eq 0 ] || fail "nvidia-smi $*: exit code $code: $(tail -3 "$directory/out")"
  grep -Eq -- "$pattern" "$directory/out" ||
    fail "nvidia-smi $*: no \"$pattern\" in: $(head -40 "$directory/out")"
}
# refuses PATTERN ARGUMENT...: it fails, says why, and does not crash.
refuses() {
  pattern=$1
  shift
  "$smi" "$@" > "$directory/out" 2>&1
  code=$?
  { [ "$code" -ne 0 ] && [ "$code" -lt 128 ]; } || fail "nvidia-smi $*: exit code $code"
  grep -Eq -- "$pattern" "$directory/out" ||
    fail "nvidia-smi $*: no \"$pattern\" in: $(head -40 "$directory/out")"
}

"$fakegpuctl" create fixtures/nodes/dgx-h100.yaml > /dev/null || exit 1
"$fakegpuctl" proc start 1 --pid "$pid" --name train --memory 2048 --utilization 60 || fail "proc"

says '^GPU 7: NVIDIA H100 80GB HBM3 \(UUID: GPU-' -L
[ "$(wc -l < "$directory/out")" -eq 8 ] || fail "-L lists $(wc -l < "$directory/out") lines"
says '2048MiB / 81559MiB' -i 1
says 'train +2048MiB' -i 1
says 'Product Name +: NVIDIA H100 80GB HBM3' -q
says 'Name +: train' -q -i 1
says '<product_name>NVIDIA H100 80GB HBM3</product_name>' -q -x
says '^GPU0.*NV18' topo -m
says '^1, NVIDIA H100 80GB HBM3, 81559 MiB, 2048 MiB, 700.00 W, Default$' \
  --query-gpu=index,name,memory.total,memory.used,power.limit,compute_mode --format=csv,noheader -i 1
says '^ +1 +[0-9]+ +[0-9]+ +[0-9]+ +(5[89]|6[0-2]) ' dmon -c 1
says "^ +1 +$pid +C +60 +30 +0 +0 +train" pmon -c 1

says 'set to 300.00 W' -i 0 -pl 300
says '^300.00 W$' --query-gpu=power.limit --format=csv,noheader -i 0
says 'EXCLUSIVE_PROCESS' -i 0 -c EXCLUSIVE_PROCESS
says 'Medium' compute-policy -i 0 --set-timeslice=2
says '^\| +0 +Timeslice +Medium +\|$' compute-policy -i 0 -l
says 'Enabled MIG Mode|already|All done' -i 0 -mig 1
says '1g.10gb\+me +20 +1/1 ' mig -lgip -i 0
says 'Successfully created GPU instance.*profile MIG 3g.40gb' mig -i 0 -cgi 9,19 -C
says 'MIG 3g.40gb +9 +' mig -lgi -i 0
says 'MIG 1g.10gb.*Device +1: \(UUID: MIG-' -L
refuses 'In use by another client' mig -i 0 -dgi
says 'Successfully destroyed compute instance' mig -i 0 -dci
says 'Successfully destroyed GPU instance' mig -i 0 -dgi
refuses 'No GPU instances found' mig -lgi -i 0

"$fakegpuctl" inject 7 xid=48 || fail "inject"
says '^1$' --query-gpu=ecc.errors.uncorrected.volatile.total --format=csv,noheader -i 7
says 'successfully reset' -r -i 7
says '^0$' --query-gpu=ecc.errors.uncorrected.volatile.total --format=csv,noheader -i 7
refuses 'In use|unavailable' -r -i 1

if [ "$failures" -ne 0 ]; then
  echo "$failures failures"
  exit 1
fi
