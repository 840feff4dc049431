#!/bin/bash
# Usage: examples_test.sh CC LIBRARY INCLUDE_FILE ARTIFACT PROGRAM...
# Runs the example programs, and compiles the C one as the README says, against the shared library.
set -eu
cc=$1 library=$2 header=$3 artifact=$4
shift 4
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

# The first input, [2, 3]: 0 1 2 3 4 5. The second one is zero.
printf '\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40' >"$temporary/input.bin"
expected='sum [2, 3] 0 1 2 3 4 5
scaled [2, 3] 0 0.5 1 1.5 2 2.5'

library_folder=$(cd "$(dirname "$library")" && pwd)
include=$(dirname "$(dirname "$header")")
"$cc" -Wall -Wextra -Werror runtime/examples/run_model.c -I"$include" -L"$library_folder" -lmgec_runtime \
  -Wl,-rpath,"$library_folder" -o "$temporary/run_model"

for program in "$temporary/run_model" "$@"; do
  printed=$("$program" "$artifact" "$temporary/input.bin") || fail "$program did not succeed"
  [[ $printed == "$expected" ]] || fail "$program printed: $printed"
  if error=$("$program" /nowhere/model.mgec "$temporary/input.bin" 2>&1); then fail "$program took a missing file"; fi
  [[ $error == *"/nowhere/model.mgec"* ]] || fail "$program printed: $error"
  if error=$("$program" "$artifact" /dev/null 2>&1); then fail "$program took an empty input"; fi
  [[ $error == *"24 bytes"* ]] || fail "$program printed: $error"
done
echo "all examples work"
