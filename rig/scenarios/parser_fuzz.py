# SPDX-License-Identifier: MIT
"""parser-fuzz: firmware images that are broken in a few fields, against panthor's loader."""

from __future__ import annotations

import struct
import time
from collections import Counter

from rig.artifacts.csffw_fuzz import images
from rig.deadlines import JOB_S
from rig.scenarios.kit import DRIVER, GPU_DEVICE, Scenario, check, scenario
from rig.verdict.verdict import Note, NoteKind

IMAGES = 100
"""60 ms of CPU each; `--soak` has a thousand."""
SEED = 20261121
NAME = "rig-heap"
HEAP_BYTES = 16 << 20
FILE = "/tmp/images"


@scenario(contracts=("base", "heap-name"), flavour="direct")
def test_images(rig: Scenario) -> None:
    """A hundred broken images: each is refused or loaded, nothing stays, and a good one works."""
    rig.add_heap(NAME, HEAP_BYTES)
    before = rig.dmabufs()
    heap = None if rig.session.bed.contract.contract.name == "base" else NAME
    rig.load_panthor(heap=heap)
    rig.wait_bound()
    rig.sh(f"echo {GPU_DEVICE} > {DRIVER}/unbind")
    ends = load_all(rig, rig.cycles(IMAGES))
    check(ends["0"] and len(ends) > 1, f"no image was loaded, or none refused: {dict(ends)}")
    check(not rig.gpu_powered(), "the GPU is still powered behind the last image")
    check(rig.clock_enables() == 0, "the GPU's clock is still enabled behind the last image")
    rig.wait_heap_bytes(NAME, 0, "behind the last image")
    rig.settle(rig.dmabufs, before, "dma-bufs (count, bytes) behind the last image")
    rig.session.agent.put(rig.session.mcu_path, rig.session.mcu_firmware)
    check(not rig.bind_by_hand(), "the driver does not bind with a good image behind the others")
    rig.wait_bound()
    rig.run("gpuctl", "job")


def load_all(rig: Scenario, count: int) -> Counter[str]:
    """Have the driver load `count` images; how many ended with which errno ("0": loaded)."""
    packed = b"".join(struct.pack("<I", len(raw)) + raw for raw in images(SEED, count))
    rig.session.agent.put(FILE, packed)
    usage, started = rig.runtime_usage(), time.monotonic()
    with rig.driver_may_complain():
        argv = ("fwfuzz", GPU_DEVICE, FILE, rig.session.mcu_path)
        done = rig.run(*argv, timeout=10 * JOB_S)
    seconds = time.monotonic() - started
    lines = [line for line in done.output.splitlines() if line.startswith("i=")]
    rows = [dict(word.split("=") for word in line.split()) for line in lines]
    check(len(rows) == count, f"{len(rows)} images were tried, not {count}")
    stuck = [row["i"] for row in rows if int(row["usage"]) != usage]
    check(not stuck, f"runtime PM is held more than {usage} times from image {stuck[:1]} on")
    ends = Counter(row["errno"] for row in rows)
    told = ", ".join(f"{count} {name}" for name, count in ends.most_common() if name != "0")
    text = f"{count} images in {seconds:.1f} s, {count / seconds:.0f}/s: {ends['0']} loaded, {told}"
    rig.notes.append(Note(NoteKind.MEASURED, text))
    return ends
