#!/bin/bash
# Usage: library_size_test.sh LIBRARY. The stripped runtime stays small and needs nothing but the C and C++ libraries.
set -eu
limit=$((300 * 1000))
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip --strip-all -o "$stripped" "$1"  # also of the names of what is not exported
size=$(stat -c %s "$stripped")
echo "$1: $size bytes stripped, limit $limit"
needed=$(objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }')
status=0
((size < limit)) || { echo "FAILED: larger than the limit"; status=1; }
for library in $needed; do
  case $library in
    libc.so.* | libm.so.* | libpthread.so.* | libstdc++.so.* | libgcc_s.so.* | ld-linux*) echo "needs $library" ;;
    *) echo "FAILED: needs $library"; status=1 ;;
  esac
done
exit $status
