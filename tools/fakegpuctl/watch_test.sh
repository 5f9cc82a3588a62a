#!/bin/sh
# watch_test.sh FAKEGPUCTL: `watch` tells of changes as they come, and ends when it is told to.
set -u
fakegpuctl=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
export ASSAY_FAKEGPU_STATE="$directory/state"
failures=0

# line PATTERN: the next line that watch writes.
line() {
  read -r text <&3
  echo "$text" | grep -q "$1" || {
    echo "FAILED: \"$text\", not \"$1\""
    failures=$((failures + 1))
  }
}

"$fakegpuctl" create fixtures/nodes/dgx-h100.yaml > /dev/null || exit 1
"$fakegpuctl" clock hold
mkfifo "$directory/lines"
"$fakegpuctl" watch > "$directory/lines" &
watch=$!
exec 3< "$directory/lines"
line "^[0-9.]* dgx-h100: 8 GPUs$"
"$fakegpuctl" inject 3 xid=31
line "GPU 3: xid 31$"
"$fakegpuctl" clock step 5
"$fakegpuctl" heal 3
line "^[5-9][0-9.]* GPU 3: xid 31 is healed$"
"$fakegpuctl" unplug 0
line "GPU 0: unplugged"
"$fakegpuctl" proc start 1 --pid 17 --name train --memory 512
line "GPU 1: process 17 (train, 512 MiB) starts"
kill -TERM "$watch"
wait "$watch" || { echo "FAILED: it ends with $?"; failures=$((failures + 1)); }

# In a terminal it draws the node, and leaves the screen as it was.
if command -v script > /dev/null; then
  mkfifo "$directory/ready"
  script -qec "'$fakegpuctl' watch & watch=\$!; read -r _ < '$directory/ready'; kill -INT \$watch; wait \$watch" \
    /dev/null > "$directory/screen" &
  while ! grep -q "0000:df:00.0" "$directory/screen" 2> /dev/null; do :; done
  echo > "$directory/ready"
  wait $!
  tail -c 20 "$directory/screen" | grep -q '\[?1049l' ||
    { echo "FAILED: the screen is not given back"; failures=$((failures + 1)); }
fi

[ "$failures" -eq 0 ]
