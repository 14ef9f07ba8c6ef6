# SPDX-License-Identifier: MIT
"""One GPU of every architecture with the unmodified driver: submit, suspend, resume.

Arch 10 is the catalogue's own GPU; `make nightly` has every row and more scenarios.
"""

from __future__ import annotations

import pytest

from rig.gpu.rows import GpuRow, gpu_row, gpu_rows
from rig.options import Options
from tests.guest.conftest import Rig, told

SMOKE = "suspend-buffer/state-survives"


def others() -> list[GpuRow]:
    """The first row of each architecture but that of the catalogue's GPU."""
    first: dict[int, GpuRow] = {}
    for row in gpu_rows():
        first.setdefault(row.arch_major, row)
    del first[gpu_row(Options().gpu).arch_major]
    return list(first.values())


@pytest.mark.parametrize("gpu", [row.name for row in others()])
def test_a_row_of_every_architecture(rig: Rig, gpu: str) -> None:
    """Booted, not restored: nothing else would use a snapshot of this machine."""
    assert told(rig("--no-series", "--cold", "--gpu", gpu, SMOKE)) == {SMOKE: ("PASS", None)}
