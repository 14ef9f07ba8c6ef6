# SPDX-License-Identifier: MIT
"""The first mutant: a driver that accepts the heap's name and ignores the heap."""

from __future__ import annotations

from tests.guest.conftest import Rig


def test_a_driver_that_ignores_the_heap_fails(rig: Rig) -> None:
    ran = rig("--mutant", "ignore-heap", "probe-defer/heap-late")
    assert ran.code == 1
    row = ran.verdicts["probe-defer/heap-late"]
    assert row["outcome"] == "FAIL"
    assert "lent OP-TEE no memory" in row["sentence"]
