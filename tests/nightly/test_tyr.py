# SPDX-License-Identifier: MIT
"""tyr, the Rust driver, on the emulated GPU; and on devices on which it must fail, or must not."""

from __future__ import annotations

import re

import pytest

from tests.guest.conftest import Rig, told

SCENARIO = "tyr/boot-query-unbind"
BROKEN = {
    "boot-fail=1": "the MCU's last boot failed",
    "reset-never=1": "1 binds booted the MCU 0 times",
    "stop-never=1": "1 unbinds stopped the MCU 0 times",
    "gpu-id-wrong=1": "1 binds booted the MCU 0 times",
}
"""Fault of the device: what the scenario says."""
UNSEEN = ("ping-never=1", "protm-enter-never=1", "reset-late=20000")
"""Faults of what tyr does not do, or bears."""


@pytest.mark.parametrize("fault", [None, *UNSEEN])
def test_it_boots_answers_and_lets_go(rig: Rig, fault: str | None) -> None:
    faults = ("--fault", fault) if fault else ()
    assert told(rig("--tyr", *faults, SCENARIO)) == {SCENARIO: ("PASS", None)}


@pytest.mark.parametrize(("fault", "says"), BROKEN.items())
def test_a_broken_device_is_noticed(rig: Rig, fault: str, says: str) -> None:
    row = rig("--tyr", "--fault", fault, SCENARIO).verdicts[SCENARIO]
    assert row["outcome"] == "FAIL"
    assert re.search(says, row["sentence"])


def test_without_its_kernel_it_does_not_apply(rig: Rig) -> None:
    assert rig("--no-series", SCENARIO).verdicts[SCENARIO]["outcome"] == "NOT_APPLICABLE"
