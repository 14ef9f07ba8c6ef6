#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes .venv with the rig in it. Installs Python's venv package when run as root.
set -eu
cd "$(dirname "$0")/.."

python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3 || echo "$python")

if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "rig: INFRA: Python 3.11 or later with venv is missing" >&2
        echo "  next: sudo apt-get install python3 python3-venv" >&2
        exit 128
    fi
    echo "installing python3 and python3-venv (as root)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        python3 python3-venv >/dev/null
    python=/usr/bin/python3
fi

echo "making .venv"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
