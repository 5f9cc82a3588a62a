#!/usr/bin/env bash
# Installs a build into a new folder and certifies the reference driver from another project's CTest,
# through find_package(Assay), as a user of the installed package does.
#
# usage: install_test.sh BUILD_FOLDER
set -euo pipefail
build=$(readlink -f "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || {
  cat "$work/install.log"
  exit 1
}
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.25)
project(Consumer NONE)
enable_testing()
find_package(Assay 0.1 REQUIRED)
assay_add_certification(reference-driver
  TESTEE $work/prefix/share/assay/testees/driver-ref.yaml)
EOF
cmake -S "$work/project" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" || {
  cat "$work/configure.log"
  exit 1
}
ctest --test-dir "$work/build" --output-on-failure
