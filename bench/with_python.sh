#!/usr/bin/env bash
# Runs a Python program, or says that it is skipped where there is no Python.
command -v python3 >/dev/null || {
  echo "skipped: python3 is not installed"
  exit 77
}
exec python3 "$@"
