#!/bin/sh
# Make a virtual environment that holds this package (editable), or refresh one that is out of date.
#   sh scripts/venv.sh FOLDER [EXTRAS]
# FOLDER is relative to the root of the tree. PYTHON names the interpreter; without it the first of python3, python3.14
# ... python3.11 that is new enough is taken. Run again, it does nothing until setup.py or pyproject.toml change.
set -eu
cd "$(dirname "$0")/.."
folder=$1
extras=${2:-}
stamp="$folder/.installed-${extras:-plain}"

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        if is_new_enough "$PYTHON"; then
            echo "$PYTHON"
            return
        fi
        echo "PYTHON=$PYTHON is no Python 3.11 or newer that runs here." >&2
        exit 1
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is needed, and none is on PATH. Name it: make PYTHON=/path/to/python3 ..." >&2
    echo "or install it; on Debian 12 or later, as root:" >&2
    echo "    apt-get install python3 python3-venv make" >&2
    exit 1
}

create() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python cannot make virtual environments. On Debian or Ubuntu, as root:" >&2
        echo "    apt-get install python3-venv make" >&2
        exit 1
    fi
    echo "Making $folder with $("$python" --version)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
}

# An environment holds absolute paths: one that was moved with the tree, or lost its interpreter, is made anew.
is_usable() {
    [ "$(cat "$folder/.made-in" 2>/dev/null)" = "$(pwd -P)" ] &&
        "$folder/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! is_usable; then
    create
    pwd -P >"$folder/.made-in"
fi

if [ ! -e "$stamp" ] || [ -n "$(find setup.py pyproject.toml -newer "$stamp")" ]; then
    echo "Installing integration-server${extras:+ [$extras]} into $folder"
    # Stamped with the time before, so that a change made meanwhile is not missed.
    : >"$folder/.begun"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".${extras:+[$extras]}"
    mv "$folder/.begun" "$stamp"
fi
