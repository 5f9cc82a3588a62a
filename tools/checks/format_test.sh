#!/usr/bin/env bash
# Every C and C++ file is as clang-format 19 with .clang-format lays it out.
# `tools/checks/format_test.sh --fix` lays them out.
set -euo pipefail
cd "$(dirname "$0")/../.."
formatter=$(command -v clang-format-19) || {
  echo "skipped: clang-format-19 is not installed"
  exit 77
}
mapfile -d '' -t files < <(find . \( -name build -o -name '.?*' \) -prune -o \
  -type f \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0)
[ "${#files[@]}" -gt 20 ] || { echo "found only ${#files[@]} files: is this the repository?"; exit 1; }
if [ "${1:-}" = --fix ]; then
  exec "$formatter" -i "${files[@]}"
fi
"$formatter" --dry-run --Werror "${files[@]}" || {
  echo "Not formatted. To mend: tools/checks/format_test.sh --fix"
  exit 1
}
echo "${#files[@]} files are formatted."
