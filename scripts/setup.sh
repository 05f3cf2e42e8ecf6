#!/bin/sh
# Makes $VENV with the project and everything it is developed with, at the versions of constraints.txt.
# With uv where there is one, else with the venv and pip that come with Python.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $PYTHON is $("$PYTHON" --version 2>&1 || echo missing); Python 3.11 or newer is needed: make setup PYTHON=python3.12" >&2
    exit 1
fi
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python "$PYTHON" "$VENV"
    uv pip install --quiet --python "$VENV/bin/python" -c constraints.txt -e '.[dev]'
else
    if ! "$PYTHON" -m venv "$VENV"; then
        echo "setup: $PYTHON cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
    PIP_CONSTRAINT=constraints.txt "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]'
fi
