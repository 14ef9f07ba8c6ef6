# SPDX-License-Identifier: MIT
"""allocation: each allocation of a path fails in turn, and the path must unwind.

What the unwinding leaves behind is counted behind each (runtime PM, dma-bufs, the heap's bytes);
kmemleak, KASAN and lockdep of the debug kernel judge it too.
"""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios import kit_known
from rig.scenarios.kit import Scenario, check, scenario
from rig.scenarios.kit_injection import DRIVER as MODULE
from rig.scenarios.kit_injection import Code, Kind, injection, only, told
from rig.scenarios.kit_known import Known, Path, survived
from rig.scenarios.kit_sweep import Span, Sweep, judge
from rig.verdict import klog
from rig.verdict.verdict import Note, NoteKind

ON_DEMAND = "minutes, and the debug kernel: `rig run --debug allocation`"
FEWEST: dict[Kind, int] = {"slab": 20, "tree": 2, "page": 4}
"""Fewer places than these were not a sweep of the path."""


@scenario(flavour="direct", debug=True)
def test_group_slab(rig: Scenario) -> None:
    """Each slab object of GROUP_CREATE: an errno, nothing is left, and the next one works."""
    sweep(rig, "group", "slab")


@scenario(flavour="direct", debug=True)
def test_group_tree(rig: Scenario) -> None:
    """Each node of a tree (xarray, page cache) of GROUP_CREATE and its retry, likewise."""
    sweep(rig, "group", "tree")


@scenario(flavour="direct", debug=True)
def test_group_page(rig: Scenario) -> None:
    """Each page of GROUP_CREATE, likewise."""
    sweep(rig, "group", "page")


@scenario(flavour="direct", debug=True)
def test_probe_tree(rig: Scenario) -> None:
    """Each node of a tree of the probe and its retry, likewise."""
    sweep(rig, "probe", "tree")


@scenario(flavour="direct", debug=True)
def test_drm_minor(rig: Scenario) -> None:
    """The probe's known issues, one by one: each fails while Linux has it. drm_minor_alloc()."""
    known_issue(rig, kit_known.DRM_MINOR)


@scenario(flavour="direct", debug=True)
def test_devfreq_device(rig: Scenario) -> None:
    """devfreq_add_device() cleans up what it did not set up yet."""
    known_issue(rig, kit_known.DEVFREQ)


@scenario(flavour="direct", debug=True)
def test_opp_property(rig: Scenario) -> None:
    """An operating point without memory is called a wrong one."""
    known_issue(rig, kit_known.OPP_PROPERTY)


@scenario(flavour="direct", debug=True)
def test_irq_name(rig: Scenario) -> None:
    """An interrupt without memory is called a missing one."""
    known_issue(rig, kit_known.IRQ_NAME)


@scenario(flavour="direct", debug=True)
def test_io_pgtable(rig: Scenario) -> None:
    """A page table without memory is called a wrong one."""
    known_issue(rig, kit_known.IO_PGTABLE)


@scenario(flavour="direct", debug=True)
def test_fw_section(rig: Scenario) -> None:
    """The firmware is booted although a section of it could not be written."""
    known_issue(rig, kit_known.FW_SECTION)


@scenario(flavour="direct", debug=True)
def test_drm_scheduler(rig: Scenario) -> None:
    """The known issue that the sweep of GROUP_CREATE leaves out; fails while Linux has it."""
    known_issue(rig, kit_known.DRM_SCHEDULER)


def known_issue(rig: Scenario, known: Known) -> None:
    """Only what the issue is about has allocations that fail, and nothing of it is known here."""
    one = Sweep(rig, known.path, "slab")
    symbols = one.prepare()
    with injection(rig, "slab", symbols.module(MODULE), Code(0, 0)):
        found = known.among(one.places())
        check(found, f"{known.function}() asks for no memory", FailureClass.INFRA)
        only(rig, "slab", known.code(found, symbols))
        judge(known.path, one.tried("1"))


def sweep(rig: Scenario, path: Path, kind: Kind) -> None:
    """Every place below the driver at which a path asks for memory, until each has failed."""
    one = Sweep(rig, path, kind)
    symbols = one.prepare()
    with injection(rig, kind, symbols.module(MODULE), Code(0, 0)):
        order = one.places()
        one.leave_out(symbols, order)
        missed = one.every(order, Span(1, None))
    tell(one)
    check(not missed, f"{len(missed)} places of {path} never failed, such as "
          f"{', '.join(sorted(map(told, missed))[:1])}", FailureClass.INFRA)  # fmt: skip
    if path == "probe":
        check_off_and_bind(rig)
    rig.run("gpuctl", "job")


def tell(one: Sweep) -> None:
    """How many there were, and what of Linux itself was met; too few are no sweep."""
    places, without = len(set(one.failed)), sum(row["errno"] == "0" for row in one.rows)
    check(places >= FEWEST[one.kind], f"only {places} places of {one.path} failed: nothing was "
          "injected", FailureClass.INFRA)  # fmt: skip
    text = f"{len(one.rows)} allocations of {one.path} ({one.kind}) failed in turn, at {places} "
    one.rig.notes.append(Note(NoteKind.MEASURED, f"{text}places; {without} times it did without"))
    for known, count in survived(one.path, one.failed):
        one.note(known, f"{count} failures met {known.function}()")
        if known.warns:
            warning = rf"WARNING: \S+ at {known.function}\b"
            one.rig.expected.append(klog.Expected(warning, count))


def check_off_and_bind(rig: Scenario) -> None:
    """Behind the sweep of the probe the GPU is off, for itself as for Linux, and can be bound."""
    check(not rig.gpu_powered(), "the GPU is still powered behind the sweep")
    check(rig.clock_enables() == 0, "the GPU's clock is still enabled behind the sweep")
    check(not rig.bind_by_hand(), "the driver does not bind behind the sweep")
    rig.wait_bound()
