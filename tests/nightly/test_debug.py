# SPDX-License-Identifier: MIT
"""The debug kernel: KASAN, lockdep, kmemleak and DMA-API checks have nothing to say."""

from __future__ import annotations

import pytest

from tests.guest.conftest import Rig, told
from tests.guest.test_fixes import DEFECTS_OF_A_MODULE

TEE_FIXES = "kernel_config/series/tee-fixes"
SEEN = (
    "driver/reset-recovers",
    "probe-defer/heap-late",
    "protected-mode/enter-exit",
    "suspend-buffer/returned",
)
"""Probe with and without waiting, reset, protected mode, groups: one of each."""


def test_the_checkers_have_nothing_to_say(rig: Rig) -> None:
    assert told(rig("--debug", *SEEN)) == dict.fromkeys(SEEN, ("PASS", None))


@pytest.mark.parametrize(("scenario", "says"), DEFECTS_OF_A_MODULE.items())
def test_a_defect_of_tee_as_a_module(rig: Rig, scenario: str, says: str) -> None:
    """Without its patch it is found, and with it mended."""
    found = rig("--debug", scenario).verdicts[scenario]
    assert found["outcome"] == "FAIL"
    assert says in found["sentence"]
    series = ("--series", "kernel_config/series/heap-name", "--series", TEE_FIXES)
    mended = rig("--debug", *series, scenario).verdicts[scenario]
    assert mended["outcome"] == "PASS", mended["sentence"]
