# SPDX-License-Identifier: MIT
"""The series' documentation in the tree's own check of it, `scripts/kernel-doc`.

Building the book needs Sphinx, which the rig does not install: what is checked here is what
the book is made of, the comments of the uAPI and of the driver.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rig.kernel.patches import load_series
from rig.options import Options
from rig.paths import REPO
from rig.testbed import LINUX, TestBed
from rig.ui import Reporter

SERIES = sorted(
    path for path in (REPO / "kernel_config" / "series").iterdir() if path.name.startswith("heap-")
)
TOOLS = ("scripts/kernel-doc", "tools/docs", "tools/lib/python")
DOCUMENTED = "Documentation/gpu/panthor.rst"
UAPI = "include/uapi/drm/panthor_drm.h"


def workspace(series: Path, folder: Path) -> list[str]:
    """Copy the tree's tools, and what the series touches of it; returns the C files."""
    tree = TestBed(Options(), Reporter()).builder.sources.tree(LINUX).path
    diffs = b"".join(patch.diff for patch in load_series(series)).decode()
    touched = sorted(set(re.findall(r"^\+\+\+ b/(\S+)", diffs, re.MULTILINE)))
    for name in (*TOOLS, *touched):
        source, target = tree / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            shutil.copy(source, target, follow_symlinks=False)
    return [name for name in touched if name.endswith((".c", ".h"))]


def complaints(folder: Path, files: list[str]) -> set[str]:
    """What kernel-doc says of the files, without line numbers and its guesses."""
    there = [name for name in files if (folder / name).exists()]
    argv = [sys.executable, "scripts/kernel-doc", "-none", *there]
    said = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    noise = re.compile(r":\d+| \(did you mean.*")
    return {noise.sub("", line) for line in said.stderr.splitlines() if line.strip()}


@pytest.mark.parametrize("series", SERIES, ids=lambda path: path.name)
def test_a_series_brings_no_complaint(series: Path, tmp_path: Path) -> None:
    files = workspace(series, tmp_path)
    before = complaints(tmp_path, files)
    for patch in load_series(series):
        argv = ["git", "apply", "--unsafe-paths", "--directory", str(tmp_path), "-"]
        subprocess.run(argv, cwd="/", input=patch.diff, check=True)
    assert complaints(tmp_path, files) - before == set()
    uapi = tmp_path / UAPI
    uapi.write_text(uapi.read_text().replace("\t/** @flags: Comb", "\t/** @flogs: Comb"))
    assert complaints(tmp_path, files) - before, "the check finds nothing"


def test_the_series_describes_protected_mode() -> None:
    """The complete series says in the driver's page what user space has to know."""
    diffs = [patch.diff.decode() for patch in load_series(REPO / "kernel_config/series/heap-name")]
    assert f"+++ b/{DOCUMENTED}" in diffs[-1]
