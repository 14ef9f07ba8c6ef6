#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes .venv with the rig in it, or brings it up to date; nothing to do is the usual case.
# Installs Python's venv package when run as root. PYTHON= names another interpreter.
#
# What .venv was made of stands in .venv/ready: contents, not times, which a checkout moves.
# A venv cannot be renamed, so one that works is upgraded in place: pip fetches everything
# before it touches anything, and what was there goes on working when that fails.
set -eu
cd "$(dirname "$0")/.."

ready=.venv/ready
want="$PWD $(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -c1-64)"

works() {
    .venv/bin/python -c 'import rig, pip' 2>/dev/null
}

if [ "$(cat "$ready" 2>/dev/null)" = "$want" ] && works; then
    exit 0
fi

python=${PYTHON:-/usr/bin/python3}
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

# made elsewhere, or by a Python that is gone: nothing in it can be used
case "$(cat "$ready" "$ready.old" 2>/dev/null || true)" in
"$PWD "*) works || rm -rf .venv ;;
*) rm -rf .venv ;;
esac

if [ -d .venv ]; then
    echo "bringing .venv up to date"
    [ ! -e "$ready" ] || mv "$ready" "$ready.old"
else
    echo "making .venv"
    "$python" -m venv .venv
fi
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    -c constraints.txt -e '.[dev,introspect]'; then
    [ ! -e "$ready.old" ] || mv "$ready.old" "$ready"
    echo "rig: INFRA: pip could not install what the rig needs; see its lines above" >&2
    [ ! -e "$ready" ] || echo "  .venv is as it was: .venv/bin/rig still works" >&2
    echo "  next: check the network and pip's index, then the same command again" >&2
    exit 128
fi
rm -f "$ready.old"
echo "$want" >"$ready"
