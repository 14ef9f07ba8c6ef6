# SPDX-License-Identifier: MIT
"""The table of mutants: complete, and true to the catalogue."""

from __future__ import annotations

from rig.catalogue import entries
from rig.teeth import load, toothless
from rig.testbed import FIRMWARE_MUTANTS, MUTANTS, SERIES

IDS = {entry.id for entry in entries()}


def test_every_scenario_has_a_killer() -> None:
    assert toothless(load(), entries()) == []


def test_every_row_has_both_sides_and_names_real_scenarios() -> None:
    for mutant in load():
        # a row that says nothing is a control: another driver that is as good
        assert bool(mutant.killers) == bool(mutant.says), f"{mutant.name}: nothing catches it"
        assert mutant.survivors, f"{mutant.name}: nothing must survive it"
        assert IDS.issuperset(mutant.killers + mutant.survivors), mutant.name
        assert not set(mutant.killers) & set(mutant.survivors), mutant.name
        assert (SERIES / mutant.base).is_dir(), mutant.name


def test_every_patch_has_a_row_and_every_driver_row_a_patch() -> None:
    rows = {mutant.name for mutant in load() if mutant.firewall and not mutant.faults}
    patches = [*MUTANTS.glob("*.patch"), *FIRMWARE_MUTANTS.glob("*.patch")]
    assert rows == {patch.stem for patch in patches}
