#!/bin/sh
# Makes trees of fake devices, as driver-ref/DEVICE_TREE.md describes them, and breaks devices in
# them. What a reader of the tree sees of a change is all of it or nothing.
set -eu

usage() {
  cat <<'EOF'
Makes trees of fake devices for `dra-driver-ref --sysfs-devices`, and breaks devices in them.

  fakedevices nics DIR COUNT            network cards of 40 Gbit/s, one below each PCIe root
  fakedevices tpus DIR XxYxZ [DOMAIN]   the chips of a torus
  fakedevices nodes DIR DEV             their device nodes below DEV, for /dev; files where
                                        the caller may make no devices
  fakedevices set DIR DEVICE FILE VALUE
  fakedevices fail DIR DEVICE           it does not answer any more
  fakedevices degrade DIR DEVICE        it wants a reset and still works
  fakedevices heal DIR DEVICE
  fakedevices unplug DIR DEVICE
  fakedevices plug DIR DEVICE           brings back what was unplugged

Devices are added to those that DIR has. Exit codes: 0; 1 when DIR or DEVICE is not as it should be;
2 for a wrong command line.
EOF
}

die() {
  echo "fakedevices: $1" >&2
  exit "${2:-1}"
}

# put DEVICE FILE VALUE: in $dir; by renaming, as a reader must see no half of it.
put() {
  mkdir -p "$(dirname "$dir/$1/$2")"
  temporary=$(dirname "$dir/$1")/.$1.new
  printf '%s\n' "$3" >"$temporary"
  mv "$temporary" "$dir/$1/$2"
}

is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }

# A device comes as a whole: it is made below a name that readers leave out. One that is there stays.
begin() {
  [ ! -e "$dir/$1" ] || die "$dir/$1 is there already"
  rm -rf "$dir/.$1.made"
}
end() { mv "$dir/.$1.made" "$dir/$1"; }

make_nics() {
  is_number "$1" && [ "$1" -le 15 ] || die "COUNT: \"$1\" is no number of at most 15" 2
  i=0
  while [ "$i" -lt "$1" ]; do
    begin "nic-$i"
    bus=$(printf '%02x' $((16 + i * 16)))
    new=.nic-$i.made
    put "$new" kind nic
    put "$new" vendor Assay
    put "$new" model 'Fake 40G NIC'
    put "$new" serial "$(printf 'NIC%05d' "$i")"
    put "$new" address "0000:$(printf '%02x' $((17 + i * 16))):00.0"
    put "$new" pcie_root "pci0000:$bus"
    put "$new" numa_node $((i * 2 / $1))
    put "$new" interface "fake$i"
    put "$new" hardware_address "$(printf '02:00:00:00:00:%02x' "$i")"
    put "$new" nodes "infiniband/uverbs$i 231:$((192 + i))"
    put "$new" capacity/bandwidth/total 40G
    put "$new" capacity/bandwidth/step 1G
    put "$new" health ok
    end "nic-$i"
    i=$((i + 1))
  done
}

# index X Y Z: which chip lies there.
index() { echo $(($1 + sides_x * ($2 + sides_y * $3))); }

# A torus of two has one link between the two, not two.
neighbours() {
  set -- "$1" "$2" "$3" "$sides_x" "$sides_y" "$sides_z"
  {
    [ "$4" -lt 2 ] || { index $((($1 + 1) % $4)) "$2" "$3" && index $((($1 + $4 - 1) % $4)) "$2" "$3"; }
    [ "$5" -lt 2 ] || { index "$1" $((($2 + 1) % $5)) "$3" && index "$1" $((($2 + $5 - 1) % $5)) "$3"; }
    [ "$6" -lt 2 ] || { index "$1" "$2" $((($3 + 1) % $6)) && index "$1" "$2" $((($3 + $6 - 1) % $6)); }
  } | sort -nu | sed 's/^/tpu-/'
}

make_tpus() {
  case $1 in
    *x*x*x* | *xx*) die "\"$1\" is no torus such as 2x2x1" 2 ;;
    *x*x*) ;;
    *) die "\"$1\" is no torus such as 2x2x1" 2 ;;
  esac
  sides_x=${1%%x*}
  sides_z=${1##*x}
  sides_y=${1#*x}
  sides_y=${sides_y%x*}
  for side in "$sides_x" "$sides_y" "$sides_z"; do
    is_number "$side" && [ "$side" -gt 0 ] || die "\"$1\" is no torus such as 2x2x1" 2
  done
  z=0
  while [ "$z" -lt "$sides_z" ]; do
    y=0
    while [ "$y" -lt "$sides_y" ]; do
      x=0
      while [ "$x" -lt "$sides_x" ]; do
        i=$(index "$x" "$y" "$z")
        begin "tpu-$i"
        new=.tpu-$i.made
        put "$new" kind tpu
        put "$new" vendor Assay
        put "$new" model 'Fake TPU'
        put "$new" serial "$(printf 'TPU%05d' "$i")"
        put "$new" address "0000:00:$(printf '%02x' $((4 + i))).0"
        put "$new" pcie_root pci0000:00
        put "$new" numa_node 0
        put "$new" index "$i"
        put "$new" position "$x,$y,$z"
        put "$new" link_domain "$2"
        put "$new" links "$(neighbours "$x" "$y" "$z")"
        put "$new" nodes "accel$i 120:$i"
        put "$new" capacity/memory/total 16Gi
        put "$new" health ok
        end "tpu-$i"
        x=$((x + 1))
      done
      y=$((y + 1))
    done
    z=$((z + 1))
  done
}

make_nodes() {
  cat "$dir"/*/nodes | while read -r path numbers; do
    mkdir -p "$(dirname "$1/$path")"
    [ -e "$1/$path" ] || mknod "$1/$path" c "${numbers%:*}" "${numbers#*:}" 2>/dev/null || : >"$1/$path"
  done
}

there() { [ -d "$dir/$1" ] || die "$dir has no device $1"; }

case ${1:-} in
  -h | --help) usage && exit 0 ;;
esac
[ $# -ge 3 ] || {
  usage >&2
  exit 2
}
command=$1
dir=$2
shift 2
case $command in
  nics | tpus) mkdir -p "$dir" ;;
  *) [ -d "$dir" ] || die "$dir is no directory" ;;
esac
case $command in
  nics) make_nics "$1" ;;
  tpus) make_tpus "$1" "${2:-}" ;;
  nodes) make_nodes "$1" ;;
  set)
    [ $# -eq 3 ] || die "set: expected DIR DEVICE FILE VALUE" 2
    there "$1"
    put "$1" "$2" "$3"
    ;;
  fail) there "$1" && put "$1" health lost ;;
  degrade) there "$1" && put "$1" health reset ;;
  heal) there "$1" && put "$1" health ok ;;
  unplug) there "$1" && mv "$dir/$1" "$dir/.$1.unplugged" ;;
  plug)
    [ -d "$dir/.$1.unplugged" ] || die "$dir has no device $1 that was unplugged"
    mv "$dir/.$1.unplugged" "$dir/$1"
    ;;
  *) die "\"$command\" is no command: see --help" 2 ;;
esac
