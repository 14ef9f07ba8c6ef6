# SPDX-License-Identifier: MIT
"""Defects of Linux 7.3: found in it as it is, with the defect's own words, and gone when mended.

What needs TEE as a module shows in the debug kernel alone: tests/nightly/test_debug.py.
"""

from __future__ import annotations

import pytest

from rig.catalogue import entries
from tests.guest.conftest import Rig

FIXES = {"tee": "tee-fixes", "imports": "panthor-fixes"}
"""The family of the defects, the series that mends them."""
DEFECTS = {
    "tee/first-and-last-at-once": "refcount: addition on 0",
    "tee/unload-while-held": "rmmod optee does not end",
    "imports/hole": "NULL pointer dereference",
}
DEFECTS_OF_A_MODULE = {"tee/module-stays": "tee.ko was unloaded although its heap stays"}


def test_the_table_names_every_scenario() -> None:
    named = {**DEFECTS, **DEFECTS_OF_A_MODULE}
    assert sorted(named) == sorted(entry.id for entry in entries() if entry.family in FIXES)


@pytest.mark.parametrize(("scenario", "says"), DEFECTS.items())
def test_the_defect_is_found(rig: Rig, scenario: str, says: str) -> None:
    # each alone, and as long as it takes: the race is lost in the first seconds, or on a
    # busy machine a little later
    row = rig("--no-series", "--soak", scenario).verdicts[scenario]
    assert row["outcome"] == "FAIL"
    assert says in row["sentence"]


@pytest.mark.parametrize("scenario", DEFECTS)
def test_the_fix_mends_it(rig: Rig, scenario: str) -> None:
    family = scenario.partition("/")[0]
    row = rig("--series", f"kernel_config/series/{FIXES[family]}", family).verdicts[scenario]
    assert row["outcome"] == "PASS", row["sentence"]


def test_it_runs_only_when_named(rig: Rig) -> None:
    assert not set(DEFECTS) & set(rig().verdicts)
