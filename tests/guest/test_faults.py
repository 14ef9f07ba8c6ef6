# SPDX-License-Identifier: MIT
"""A handful of the fault plan's rows on the driver; tests/nightly has all of them."""

from __future__ import annotations

from pathlib import Path

from rig.scenarios.fault_trials import found, trials
from tests.guest.conftest import Rig, told

HANDFUL = ("faults/streams", "faults/memory")


def test_the_driver_does_what_its_code_says(rig: Rig) -> None:
    ran = rig(*HANDFUL)
    assert told(ran) == dict.fromkeys(HANDFUL, ("PASS", None))
    outcomes = found(Path(ran.verdicts[HANDFUL[0]]["run_dir"]).parent)
    wanted = [trial for name in HANDFUL for trial in trials(name.removeprefix("faults/"))]
    assert sorted(outcome.fault for outcome in outcomes) == sorted(t.fault for t in wanted)
    assert all(outcome.strikes for outcome in outcomes)


def test_it_runs_only_when_named(rig: Rig) -> None:
    assert not set(HANDFUL) & set(rig().verdicts)
