# SPDX-License-Identifier: MIT
"""Every GPU of the table with the real driver."""

from __future__ import annotations

import pytest

from rig.gpu.rows import gpu_names
from tests.guest.conftest import Rig, told

SMOKE = (
    "probe-defer/heap-late",
    "fw-protected-section/in-heap",
    "suspend-buffer/from-heap",
    "suspend-buffer/state-survives",
    "driver/reset-recovers",
)
"""Probe, firmware boot, MMU, jobs, suspend and reset: what differs from row to row."""


@pytest.mark.parametrize("gpu", gpu_names())
def test_the_driver_works_on_every_row(rig: Rig, gpu: str) -> None:
    assert told(rig("--gpu", gpu, *SMOKE)) == dict.fromkeys(SMOKE, ("PASS", None))


def test_a_coherent_gpu_too(rig: Rig) -> None:
    assert told(rig("--coherent", *SMOKE)) == dict.fromkeys(SMOKE, ("PASS", None))
