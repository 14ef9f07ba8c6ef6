# SPDX-License-Identifier: MIT
"""The table of mutants: complete, and true to the catalogue."""

from __future__ import annotations

from rig.catalogue import entries
from rig.options import FIRMWARE_MUTANTS, MUTANTS, SERIES, Options
from rig.teeth import choose, load, toothless

IDS = {entry.id for entry in entries()}


def test_every_scenario_has_a_killer() -> None:
    assert toothless(load(), entries()) == []


def test_every_sweep_of_the_debug_kernel_has_one_too() -> None:
    """Their family runs only when named; what it knows of Linux, an unpatched kernel shows."""
    killed = {name for mutant in load() for name in mutant.killers if mutant.debug}
    swept = ("allocation/group-", "allocation/probe-")
    assert killed >= {entry.id for entry in entries() if entry.id.startswith(swept)}


def test_mutants_of_the_debug_kernel_are_chosen_by_name_or_all_together() -> None:
    rows = load()
    plain, slow = choose((), rows), choose((), rows, debug=True)
    assert slow
    assert not any(mutant.debug for mutant in plain)
    assert len(plain) + len(slow) == len(rows)
    assert choose([slow[0].name], rows) == [slow[0]]
    assert slow[0].options(Options()).debug


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
