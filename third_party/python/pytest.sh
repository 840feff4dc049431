#!/bin/bash
# Usage: pytest.sh PYTHON PYTHONPATH FILE...
set -u
python=$1
path=$2
shift 2
export PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH}
export PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -q -p no:cacheprovider ${XML_OUTPUT_FILE:+--junitxml="$XML_OUTPUT_FILE"} "$@"
