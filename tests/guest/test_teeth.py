# SPDX-License-Identifier: MIT
"""Every mutant is caught by its killers and by them only (what `make teeth` does).

What that and the catalogue's run show of the review findings is looked at behind it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rig.bundle import MATRIX
from rig.review_table import REVIEWS
from rig.teeth import Mutant, load
from rig.testbed import DEFAULT_SERIES
from tests.guest.conftest import Rig, keep

MUTANTS = [mutant for mutant in load() if mutant.base == DEFAULT_SERIES.name]
"""Those of other series wait for the nightly ring: each series is a kernel image of its own."""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the result of each mutant goes, in a folder of its name."""
    return tmp_path_factory.mktemp("teeth")


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One `rig` command to its end."""
    argv = [sys.executable, "-m", "rig.cli.main", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant(mutant: Mutant, kept: Path) -> None:
    done = call("teeth", mutant.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(mutant.killers) + len(mutant.survivors)} passed, 0 failed" in done.stdout
    folder = kept / mutant.name
    folder.mkdir()
    keep(done.stdout, MATRIX, folder)


def test_the_review_findings_are_shown(rig: Rig, kept: Path) -> None:
    """Of those that the table does not explain none lacks its pass or its mutant's end."""
    teeth = [str(folder) for folder in kept.iterdir()]
    if len(teeth) < len(MUTANTS):
        pytest.skip("not every mutant was caught in this session")
    done = call("reviews", str(rig().kept), *teeth)
    assert done.returncode == 0, done.stdout + done.stderr
    explained = [review for review in REVIEWS if review.unshown]
    shown = len(REVIEWS) - len(explained)
    assert f"{shown} shown, {len(explained)} not and why, 0 failed" in done.stdout


def test_without_mutants_nothing_is_shown(rig: Rig) -> None:
    done = call("reviews", str(rig().kept))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 shown" in done.stdout
