# SPDX-License-Identifier: MIT
"""allocation: each allocation of a path fails in turn, and the path must unwind.

What the unwinding leaves behind is counted behind each (runtime PM, dma-bufs, the heap's bytes);
kmemleak, KASAN and lockdep of the debug kernel judge it too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from rig.deadlines import JOB_S
from rig.errors import FailureClass
from rig.scenarios.kit import DRIVER, GPU_DEVICE, Scenario, check, scenario
from rig.scenarios.kit_injection import DRIVER as MODULE
from rig.scenarios.kit_injection import (
    REFILL,
    Code,
    Kind,
    Site,
    Symbols,
    injection,
    name_of,
    noted,
    sites,
    told,
)
from rig.verdict.verdict import Note, NoteKind

ON_DEMAND = "minutes, and the debug kernel: `rig run --debug allocation`"
Path = Literal["probe", "group"]
NAME = "rig-heap"
HEAP_BYTES = 16 << 20
MINUTES = 20 * JOB_S
DRY = ("1000000", "1000000")
"""A number that no path reaches: a try in which nothing fails."""
ENTRY: dict[Path, str] = {"probe": "panthor_probe", "group": "panthor_ioctl_group_create"}
FEWEST: dict[Kind, int] = {"slab": 20, "page": 4}
"""Fewer places than these were not a sweep of the path."""
ROUNDS = 4
"""A place left out, since the numbers moved, comes in the next round. One that is not there in
every unharmed try (a cache of the kernel ran empty just then) is not demanded."""

NO_MEMORY = ("ENOMEM", "ENOSPC")
"""mm/shmem.c says ENOSPC when it gets no memory for an inode, and with it every buffer object."""


@dataclass(frozen=True)
class Known:
    """A function of Linux 7.3, outside the driver, after whose failure nothing can go on."""

    function: str
    where: str
    what: str


KNOWN: dict[Path, Known] = {
    "probe": Known(
        "drm_minor_alloc",
        "drivers/gpu/drm/drm_drv.c:124, 163-169",
        "when drm_sysfs_minor_alloc() fails, the release action that is registered already puts "
        "the ERR_PTR in minor->kdev",
    ),
    "group": Known(
        "drm_sched_init",
        "drivers/gpu/drm/scheduler/sched_main.c:1105, 1133-1135, 1207-1226; "
        "drivers/gpu/drm/panthor/panthor_sched.c:924",
        "it sets sched->ops before it can fail, which group_free_queue() takes for a scheduler "
        "that drm_sched_fini() can end",
    ),
}


@scenario(flavour="direct", debug=True)
def test_group_slab(rig: Scenario) -> None:
    """Each slab object of GROUP_CREATE: an errno, nothing is left, and the next one works."""
    sweep(rig, "group", "slab")


@scenario(flavour="direct", debug=True)
def test_group_page(rig: Scenario) -> None:
    """Each page of GROUP_CREATE, likewise."""
    sweep(rig, "group", "page")


@scenario(flavour="direct", debug=True)
def test_drm_minor(rig: Scenario) -> None:
    """A known issue of the probe, which a sweep of it would end at; fails while Linux has it."""
    known_issue(rig, "probe")


@scenario(flavour="direct", debug=True)
def test_drm_scheduler(rig: Scenario) -> None:
    """The known issue that the sweep of GROUP_CREATE leaves out; fails while Linux has it."""
    known_issue(rig, "group")


def known_issue(rig: Scenario, path: Path) -> None:
    """Only the function with the known issue has allocations that fail."""
    symbols = prepare(rig, path)
    code = symbols.function(KNOWN[path].function)
    with injection(rig, "slab", code, Code(0, 0)):
        judge(path, tried(rig, path, "1"))


def sweep(rig: Scenario, path: Path, kind: Kind) -> None:
    """Every place below the driver at which a path asks for memory, until each has failed."""
    symbols = prepare(rig, path)
    known = KNOWN[path]
    never = symbols.function(known.function if kind == "slab" else REFILL)
    with injection(rig, kind, symbols.module(MODULE), never):
        wanted = places(rig, path, kind)
        left_out = {site for site in wanted if kind == "slab" and known_in(site, known)}
        failed, missed, tries = every(rig, path, kind, wanted - left_out)
    check(len(failed) >= FEWEST[kind], f"only {len(failed)} places of {path} failed: nothing was "
          "injected", FailureClass.INFRA)  # fmt: skip
    check(not missed, f"{len(missed)} places of {path} never failed, such as "
          f"{', '.join(sorted(map(told, missed))[:1])}", FailureClass.INFRA)  # fmt: skip
    text = f"{tries} allocations of {path} ({kind}) failed in turn, at {len(failed)} places"
    rig.notes.append(Note(NoteKind.MEASURED, text))
    if left_out:
        text = f"{len(left_out)} places in {known.function}() are left out ({known.where}): "
        rig.notes.append(Note(NoteKind.KNOWN_ISSUE, text + known.what))
    rig.run("gpuctl", "job")


def every(
    rig: Scenario, path: Path, kind: Kind, wanted: set[Site]
) -> tuple[set[Site], set[Site], int]:
    """Sweep until all wanted places have failed: those that did, those that did not, the tries."""
    failed: set[Site] = set()
    tries = 0
    for _ in range(ROUNDS):
        with noted(rig, "ret != 0") as found:
            rows = tried(rig, path, "1")
        failed |= set(sites(found[0], ENTRY[path], kind))
        tries += judge(path, rows)
        if wanted <= failed:
            break
        wanted = wanted & places(rig, path, kind)
    return failed, wanted - failed, tries


def known_in(site: Site, known: Known) -> bool:
    """Whether a place is below the function with the known issue."""
    return any(name_of(frame) == known.function for frame in site)


def prepare(rig: Scenario, path: Path) -> Symbols:
    """The driver bound with the stand-in heap; unbound for its probe."""
    rig.add_heap(NAME, HEAP_BYTES)
    rig.load_panthor(heap=NAME)
    rig.wait_bound()
    rig.keep_gpu_on()
    if path == "probe":
        rig.sh(f"echo {GPU_DEVICE} > {DRIVER}/unbind")
    return Symbols(rig.session.agent.get("/proc/kallsyms").decode())


def places(rig: Scenario, path: Path, kind: Kind) -> set[Site]:
    """Where an unharmed path asks for memory."""
    with noted(rig, 'comm == "failnth"') as found:
        rows = tried(rig, path, *DRY)
    check(all(int(row["left"]) for row in rows), "an allocation failed that was not to",
          FailureClass.INFRA)  # fmt: skip
    return set(sites(found[0], ENTRY[path], kind))


def tried(rig: Scenario, path: Path, *numbers: str) -> list[dict[str, str]]:
    """What `failnth` says of each number, in the order of its lines."""
    with rig.driver_may_complain():
        done = rig.try_run("failnth", path, GPU_DEVICE, *numbers, timeout=MINUTES)
    last = (done.output.strip().splitlines() or ["it printed nothing"])[-1]
    check(last == "RESULT ok", f"the sweep of {path} ended early: {last}")
    lines = [line for line in done.output.splitlines() if line.startswith("n=")]
    return [dict(word.split("=") for word in line.split()) for line in lines]


def judge(path: Path, rows: list[dict[str, str]]) -> int:
    """Raise at the first try that did not unwind; how many allocations failed."""
    for row in rows:
        after = f"behind the failing allocation {row['n']} of {path} ({row['errno']})"
        held = {name: row[name] for name in ("usage", "dmabufs", "heap") if row[name] != "0"}
        check(not held, f"more is held {after} than before: {held}")
        check(row["again"] == "0", f"{path} fails with {row['again']} {after}")
        check(int(row["left"]) == 0 or row["errno"] == "0",
              f"{path} failed with {row['errno']} although no allocation did")  # fmt: skip
    reached = [row for row in rows if int(row["left"]) == 0]
    ends = Counter(row["errno"] for row in reached if row["errno"] != "0")
    others = {name: count for name, count in ends.items() if name not in NO_MEMORY}
    check(not others, f"failing allocations ended as {others}, not as {' or '.join(NO_MEMORY)}")
    return len(reached)
