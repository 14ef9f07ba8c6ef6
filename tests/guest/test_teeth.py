# SPDX-License-Identifier: MIT
"""Every mutant is caught by its killers and by them only (what `make teeth` does).

Those that CI has no minutes for are left to tests/nightly. What these and the catalogue's
run show of the review findings is looked at behind them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.options import DEFAULT_SERIES
from rig.review_table import REVIEWS
from rig.teeth import Mutant, choose, load
from tests.guest.conftest import Rig, bite, command

PLAIN = choose((), load())
MUTANTS = [mutant for mutant in PLAIN if not mutant.nightly and mutant.base == DEFAULT_SERIES.name]
"""Those of other series wait for the nightly ring: each series is a kernel image of its own."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant(mutant: Mutant, kept: Path) -> None:
    bite(mutant, kept)


def test_the_review_findings_are_shown(rig: Rig, kept: Path) -> None:
    """Those whose mutants ran here: a pass, and that mutant's end by the scenario that passed."""
    teeth = [str(folder) for folder in kept.iterdir()]
    if len(teeth) < len(MUTANTS):
        pytest.skip("not every mutant was caught in this session")
    done = command("reviews", str(rig().kept), *teeth)
    shown = sum(shows(review.id) for review in REVIEWS)
    assert f"{shown} shown" in done.stdout, done.stdout + done.stderr


def shows(name: str) -> bool:
    """Whether a mutant of this ring has the finding, and a killer of it speaks to it."""
    speakers = {entry.id for entry in entries() if name in entry.reviews}
    return any(name in one.reviews and speakers & set(one.killers) for one in MUTANTS)


def test_without_mutants_nothing_is_shown(rig: Rig) -> None:
    done = command("reviews", str(rig().kept))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 shown" in done.stdout
