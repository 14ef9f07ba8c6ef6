# SPDX-License-Identifier: MIT
"""Linters as tests: one item a tool, so that `make test` is the only command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from rig.paths import REPO

PYTHON_FOLDERS = ("rig", "tests")


def tracked(*patterns: str) -> list[str]:
    """Files that git knows, new ones included."""
    argv = ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (REPO / name).is_file()]


def run(argv: Sequence[str]) -> None:
    if shutil.which(argv[0]) is None:
        pytest.fail(f"{argv[0]} is missing: run `rig doctor --install --for test`")
    done = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    run([sys.executable, "-m", "ruff", "check", *PYTHON_FOLDERS])


def test_ruff_format() -> None:
    run([sys.executable, "-m", "ruff", "format", "--check", *PYTHON_FOLDERS])


def test_mypy() -> None:
    run([sys.executable, "-m", "mypy", "--strict", *PYTHON_FOLDERS])


def test_shellcheck() -> None:
    run(["shellcheck", "-s", "sh", *tracked("scripts/*.sh")])
    run(["shellcheck", ".ci/run"])


def test_c_layout() -> None:
    run(["clang-format", "--dry-run", "--Werror", *tracked("*.c", "*.h")])


def test_every_file_names_its_licence() -> None:
    """SPDX line in the first five lines of every file that can carry one."""
    without = []
    for name in tracked():
        if name.startswith("tests/golden/") or name.endswith((".patch", ".md")):
            continue
        head = (REPO / name).read_bytes()[:600].decode(errors="replace").splitlines()[:5]
        if not any("SPDX-License-Identifier:" in line for line in head):
            without.append(name)
    assert without == []


def test_no_machine_path_or_mirror() -> None:
    """Nothing names this machine's folders or a package mirror."""
    needles = ("/root" + "/lab", "/root/" + ".cache", "/work" + "/", "deb.deb" + "ian.org")
    bad = []
    for name in tracked():
        text = (REPO / name).read_text(errors="replace")
        bad += [f"{name}: {needle}" for needle in needles if needle in text]
    assert bad == []
