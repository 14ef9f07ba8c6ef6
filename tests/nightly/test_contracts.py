# SPDX-License-Identifier: MIT
"""The contracts of which the guest ring runs a part: the whole catalogue, and their mutants."""

from __future__ import annotations

import importlib
import re

import pytest

from rig.catalogue import Entry, entries
from rig.scenarios.kit import Spec
from rig.teeth import Mutant
from tests.guest.conftest import Rig, command
from tests.guest.test_catalogue import CHOSEN, EXPECTED
from tests.guest.test_teeth import MUTANTS, PLAIN


def contracts_of(entry: Entry) -> tuple[str, ...]:
    """Those that a scenario says it applies to."""
    module = importlib.import_module(f"rig.scenarios.{entry.file.stem}")
    (mark,) = getattr(module, entry.function).pytestmark
    spec: Spec = mark.args[0]
    return spec.contracts


def expected_of(entry: Entry, contract: str) -> str:
    """The contract's own row, heap-name's where there is none."""
    if contract not in contracts_of(entry):
        return "NOT_APPLICABLE"
    return str((EXPECTED["heap-name"] | EXPECTED[contract])[entry.id])


@pytest.mark.parametrize("contract", CHOSEN)
def test_what_has_no_row_ends_as_with_heap_name(rig: Rig, contract: str) -> None:
    rows = rig(*CHOSEN[contract]).verdicts
    always = [entry for entry in entries() if not entry.on_demand]
    assert rows.keys() == {entry.id for entry in always}
    told = {name: f"{row['outcome']}: {row['sentence']}" for name, row in rows.items()}
    wrong = {
        entry.id: told[entry.id]
        for entry in always
        if not re.match(expected_of(entry, contract), told[entry.id])
    }
    assert wrong == {}


@pytest.mark.parametrize("contract", CHOSEN)
def test_the_rows_are_true_to_the_scenarios(contract: str) -> None:
    for entry in entries():
        if row := EXPECTED[contract].get(entry.id):
            applies = contract in contracts_of(entry)
            assert applies == (row != "NOT_APPLICABLE"), entry.id


@pytest.mark.parametrize("mutant", [m for m in PLAIN if m not in MUTANTS], ids=lambda m: m.name)
def test_mutant_of_another_series(mutant: Mutant) -> None:
    done = command("teeth", mutant.name)
    assert done.returncode == 0, done.stdout + done.stderr
