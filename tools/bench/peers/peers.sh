#!/bin/bash
# Runs the benchmark with the compiler, the package and the limits that Bazel has built beside it.
here=$PWD
export MGEC_COMPILE=$here/tools/compile MGEC_PYTHON=$here/python MGEC_LIMITS=$here/tools/bench/print_limits
export PYTHONPATH=$here/tools/bench
exec python3 -m peers "$@"
