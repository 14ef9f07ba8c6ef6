# SPDX-License-Identifier: MIT
"""Every row of the fault plan on the driver, and the GPU works behind each."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.gpu.rows import fault_names
from rig.scenarios.fault_trials import found, results, trials
from tests.guest.conftest import Ran, Rig, told

ARCH_14 = "faults/power-control"
FAULTS = [entry.id for entry in entries() if entry.family == "faults"]


@pytest.fixture(scope="module")
def runs(rig: Rig) -> tuple[Ran, Ran]:
    rest = [name for name in FAULTS if name != ARCH_14]
    return rig(*rest), rig("--gpu", "g1-pro", ARCH_14)


def folder(ran: Ran) -> Path:
    return Path(next(iter(ran.verdicts.values()))["run_dir"]).parent


def test_every_scenario_passes(runs: tuple[Ran, Ran]) -> None:
    verdicts = {**told(runs[0]), **told(runs[1])}
    assert verdicts == dict.fromkeys(FAULTS, ("PASS", None))


def test_every_row_was_tried(runs: tuple[Ran, Ran]) -> None:
    outcomes = [outcome for ran in runs for outcome in found(folder(ran))]
    print(results(outcomes))
    assert {outcome.fault for outcome in outcomes} == set(fault_names())
    assert len(outcomes) == len(trials())
