# SPDX-License-Identifier: MIT
"""Every GPU of the table with the real driver, and the variants of a GPU's surroundings."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.catalogue import entries, select
from rig.gpu.rows import gpu_names
from rig.machine.launch import Soc
from rig.options import Options
from rig.scenarios.kit import Scenario
from rig.session import GuestConfig, Session
from rig.snapshots import opened
from rig.testbed import TestBed
from rig.ui import Reporter
from tests.guest.conftest import Ran, Rig, told
from tests.guest.test_catalogue import EXPECTED

UNMODIFIED = ("driver/reset-recovers", "suspend-buffer/state-survives")
"""Probe, firmware boot, MMU, jobs, suspend, resume and reset, by the driver as it is."""
FAMILIES = ("probe-defer", "fw-protected-section", "suspend-buffer")
MT8196 = ("--soc", "mt8196", "--gpu", "g925")
GPU_MMIO = 0x0B00_0000
L2_CONFIG, ASN_HASH = 0x48, 0x2C0
ASN_HASH_ENABLE = 1 << 24
HASHES = [0xB, 0xE, 0x0]
"""What panthor has for the MT8196 (panthor_drv.c:1881)."""


def outcomes(ran: Ran) -> dict[str, str]:
    """Scenario id → outcome."""
    return {name: outcome for name, (outcome, _why) in told(ran).items()}


def expected(contract: str, *names: str) -> dict[str, str]:
    """The same by the guest ring's table, which holds for every GPU."""
    return {entry.id: EXPECTED[contract][entry.id] for entry in select(names, entries())}


def word(session: Session, offset: int) -> int:
    """One register of the GPU, read past the guest."""
    answer = session.vm.qmp.human(f"xp /1wx {GPU_MMIO + offset:#x}")
    return int(answer.split(":")[1], 16)


@pytest.mark.parametrize("gpu", gpu_names())
def test_the_unmodified_driver_works_on_every_row(rig: Rig, gpu: str) -> None:
    ran = rig("--no-series", "--gpu", gpu, *UNMODIFIED)
    assert outcomes(ran) == expected("base", *UNMODIFIED)


@pytest.mark.parametrize("gpu", gpu_names())
def test_protected_memory_on_every_row(rig: Rig, gpu: str) -> None:
    assert outcomes(rig("--gpu", gpu, *FAMILIES)) == expected("heap-name", *FAMILIES)


@pytest.mark.parametrize("variant", [("--coherent",), MT8196], ids=["coherent", "mt8196"])
def test_variants_of_the_node(rig: Rig, variant: tuple[str, ...]) -> None:
    ran = rig(*variant, *FAMILIES, *UNMODIFIED)
    assert outcomes(ran) == expected("heap-name", *FAMILIES, *UNMODIFIED)


@pytest.mark.parametrize(("soc", "hashes"), [("rk3588", [0, 0, 0]), ("mt8196", HASHES)])
def test_the_driver_sets_the_hash_of_its_soc(tmp_path: Path, soc: Soc, hashes: list[int]) -> None:
    """Read from the GPU by QEMU's monitor: panthor has programmed it, or left it alone."""
    bed = TestBed(Options(series=(), gpu="g925", soc=soc, cold=True), Reporter())
    bed.build_all()
    with opened(bed, tmp_path / "guest", GuestConfig("direct")) as session:
        rig = Scenario(session)
        rig.load_panthor(heap=None)
        rig.wait_bound()
        rig.keep_gpu_on()
        rig.run("gpuctl", "job")
        assert [word(session, ASN_HASH + 4 * n) for n in range(3)] == hashes
        enabled = word(session, L2_CONFIG) & ASN_HASH_ENABLE
        assert bool(enabled) == (soc == "mt8196")
