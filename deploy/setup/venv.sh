#!/bin/sh
# A virtual environment in .venv with exactly what LOCK pins, and this project in it. usage: venv.sh PYTHON LOCK
set -eu
python=$1
lock=$2

fail() {
  echo "Error: $1" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "$python is not installed (Python 3.11 or newer is needed)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old; set PYTHON= to a Python of 3.11 or newer."

if [ ! -x .venv/bin/pip ]; then
  # Debian splits ensurepip off; its package is the only thing that a fresh machine lacks.
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    . "$(dirname "$0")/apt.sh"
    apt_install python3-venv
  fi
  rm -rf .venv
  "$python" -m venv .venv
fi
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
