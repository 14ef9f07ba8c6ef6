# SPDX-License-Identifier: MIT
"""A part of the table from booted guests (`--cold`): the verdicts are those of restored ones.

`make nightly` does it with the whole table.
"""

from __future__ import annotations

import pytest

from tests.guest.conftest import Rig, told

RUNS = (
    ("probe-defer/heap-late", "suspend-buffer/from-heap", "probe-defer/no-parameter"),
    ("--mutant", "ignore-suspend-heap", "suspend-buffer/from-heap", "probe-defer/heap-late"),
    ("--fault", "corrupt-section=57005", "fw-protected-section/never-touched"),
)


@pytest.mark.parametrize("arguments", RUNS, ids=["good", "mutant", "fault"])
def test_the_verdicts_are_the_same(rig: Rig, arguments: tuple[str, ...]) -> None:
    restored, booted = rig(*arguments), rig(*arguments, "--cold")
    assert told(restored) == told(booted)
    assert restored.code == booted.code
    for ran, way in ((restored, "restore"), (booted, "boot")):
        assert all(row["stages"][way] > 0 for row in ran.verdicts.values())
