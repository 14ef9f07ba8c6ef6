# SPDX-License-Identifier: MIT
"""Booted guests and restored ones: the same verdicts, on good drivers and on broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.options import SERIES
from rig.review_table import REVIEWS
from rig.teeth import Mutant, choose, load
from tests.guest.conftest import Rig, bite, command, told
from tests.guest.test_catalogue import ARGUMENTS
from tests.guest.test_fixes import FIXES


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_the_whole_table(rig: Rig, contract: str) -> None:
    restored, booted = (rig(*ARGUMENTS[contract], *cold) for cold in ((), ("--cold",)))
    assert told(restored) == told(booted)
    assert restored.code == booted.code


@pytest.mark.parametrize("mutant", choose((), load()), ids=lambda mutant: mutant.name)
def test_teeth_of_booted_guests(mutant: Mutant, kept: Path) -> None:
    """The guest ring has some of them, of restored guests."""
    bite(mutant, kept, "--cold")


def test_every_review_finding_is_shown(rig: Rig, kept: Path) -> None:
    """The table is complete: none lacks its pass or its mutant's end but the impossible ones.

    The mutants of the debug kernel were caught in test_allocation.
    """
    teeth = [str(folder) for folder in kept.iterdir()]
    if len(teeth) < len(load()):
        pytest.skip("not every mutant was caught in this session")
    arguments = ARGUMENTS | {
        series: ("--series", f"kernel_config/series/{series}", family)
        for family, series in FIXES.items()
    }
    runs = {str(rig().kept)}
    runs |= {str(rig(*arguments[review.on]).kept) for review in REVIEWS if review.on}
    runs.add(str(rig("--debug", "--series", str(SERIES / "tee-fixes"), "tee/module-stays").kept))
    done = command("reviews", *runs, *teeth)
    assert done.returncode == 0, done.stdout + done.stderr
    impossible = sum(bool(review.impossible) for review in REVIEWS)
    told = f"{len(REVIEWS) - impossible} shown, {impossible} impossible, 0 missing or wrong"
    assert told in done.stdout
    assert done.stdout.count("impossible no run can show it: ") == impossible
