# SPDX-License-Identifier: MIT
"""Rates of the GPU model: `make bench` runs this after `rig bench`.

    python -m tests.model.bench

The core by itself (compiled as for the device, per second of its own CPU time), then the device
in QEMU under qtest, where a stream runs as fast as the host lets it (cs-ips=0) and the clock is
stepped. What an idle GPU costs a real guest is one of `rig bench rates`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from rig.artifacts.qemu import BINARY, QemuRecipe
from rig.artifacts.recipe import Builder
from rig.bench.guest import cpu_seconds
from rig.store import Store
from rig.ui import Reporter
from tests.model.mcu import Mcu, Queue, move32
from tests.model.native import made
from tests.model.qtest import QTest

CORE_BUDGET = 50e6
"""Simple instructions a second that the core must reach by itself."""
LOOP = [move32(4, 1), move32(5, 2), move32(6, 3), 22 << 56 | 6 << 28 | 0xFFFC]
"""Three moves and a branch back to the first."""
STEPS, STEP_NS = 2000, 1_000_000


def native() -> dict[str, float]:
    """What `bench/bench.c` prints: rates a second."""
    with made("bench") as objects:
        told = subprocess.run(
            [str(objects / "bench-run")], capture_output=True, text=True, check=True
        ).stdout
    return {name: float(value) for name, value in map(str.split, told.splitlines())}


def in_qemu(binary: Path) -> float:
    """Instructions a second of QEMU's CPU time."""
    with QTest(binary, device="cs-ips=0") as qemu:
        queue = Queue(mcu := Mcu(qemu))
        assert mcu.boot() == 1
        queue.start(LOOP)
        begin, before = cpu_seconds(qemu.pid), qemu.get("counter-instructions")
        for _ in range(STEPS):
            qemu.step(STEP_NS)
        return (qemu.get("counter-instructions") - before) / (cpu_seconds(qemu.pid) - begin)


def qemu_binary() -> Path:
    """The device's QEMU, built if need be."""
    return Builder(Store(), Reporter()).get(QemuRecipe()).path / BINARY


def main() -> int:
    """Print the figures; 1 when the core is slower than its budget."""
    rates, binary = native(), qemu_binary()
    for name, value in rates.items():
        print(f"core: {name:20} {value / 1e6:8.3f} M/s")
    print(f"QEMU: instructions         {in_qemu(binary) / 1e6:8.3f} M/s")
    return int(rates["instructions"] < CORE_BUDGET)


if __name__ == "__main__":
    raise SystemExit(main())
