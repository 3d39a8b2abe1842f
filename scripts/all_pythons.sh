#!/bin/sh
# Run the suite on every CPython from 3.11 on that pyenv or PATH have, each in an environment of its own (.venv-3.12).
# Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
tried='' failed=''
for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python \
    python3.11 python3.12 python3.13 python3.14 python3.15 python3; do
    version=$("$python" -c '
import sys
if sys.implementation.name != "cpython" or sys.version_info < (3, 11):
    sys.exit(1)
print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case " $tried " in *" $version "*) continue ;; esac
    tried="$tried $version"
    echo "== CPython $version ($python)"
    if ! { PYTHON=$python sh scripts/venv.sh ".venv-$version" test &&
        ".venv-$version/bin/python" -m pytest -n 4 --dist loadfile --no-loadscope-reorder "$@"; }; then
        failed="$failed $version"
    fi
done
[ -n "$tried" ] || { echo "No CPython 3.11 or newer was found." >&2; exit 1; }
[ -z "$failed" ] || { echo "== failed on$failed, tried on$tried" >&2; exit 1; }
echo "== passed on$tried"
