# SPDX-License-Identifier: MIT
"""Every mutant is caught by its killers and by them only (what `make teeth` does)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rig.teeth import Mutant, load


@pytest.mark.parametrize("mutant", load(), ids=lambda mutant: mutant.name)
def test_mutant(mutant: Mutant) -> None:
    argv = [sys.executable, "-m", "rig.cli.main", "teeth", mutant.name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(mutant.killers) + len(mutant.survivors)} passed, 0 failed" in done.stdout
