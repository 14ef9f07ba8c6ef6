# SPDX-License-Identifier: MIT
"""Failing allocations that Linux 7.3 itself gets wrong, and what that looks like.

Each has a scenario of its own in `allocation`, which fails while it is so. One whose end nothing
survives is left out of the sweeps; of the others the sweeps know the wrong errno, or the warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rig.scenarios.kit_injection import Code, Site, Symbols, name_of

Path = Literal["probe", "group"]


@dataclass(frozen=True)
class Known:
    """A function, and what it makes of an allocation that failed below it."""

    path: Path
    function: str
    where: str
    what: str
    steps: tuple[str, str] | None = None
    """Only between its calls of these two; None: all of it."""
    errnos: tuple[str, ...] = ()
    """How the path ends then, instead of saying that there is no memory."""
    warns: bool = False
    """It warns, which the kernel log counts as an oops."""

    @property
    def fatal(self) -> bool:
        """Nothing can go on behind it."""
        return not self.errnos and not self.warns

    def among(self, order: Iterable[Site]) -> dict[Site, int]:
        """The places that it is about, each with where in the function the call returns to."""
        found = {}
        for site in order:
            names = [name_of(frame) for frame in site]
            if self.function in names[1:]:
                n = names.index(self.function, 1)
                found[site] = (int(site[n].partition("+")[2].partition("/")[0], 16), names[n - 1])
        ends = [offset for offset, callee in found.values() if callee in (self.steps or (callee,))]
        return {
            site: offset for site, (offset, _) in found.items() if ends and offset <= max(ends)
            if offset >= min(ends)
        }  # fmt: skip

    def code(self, found: dict[Site, int], symbols: Symbols) -> Code:
        """The code of the function that calls for these places."""
        frames = {frame for site in found for frame in site if name_of(frame) == self.function}
        (symbol,) = {frame.partition("+")[0] for frame in frames}
        start = symbols.function(symbol).start
        return Code(start + min(found.values()), start + max(found.values()) + 1)


DRM_MINOR = Known(
    "probe", "drm_minor_alloc", "drivers/gpu/drm/drm_drv.c:124, 163-169",
    "when drm_sysfs_minor_alloc() fails, the release action that is registered already puts "
    "the ERR_PTR in minor->kdev",
)  # fmt: skip
DEVFREQ = Known(
    "probe", "devfreq_add_device",
    "drivers/devfreq/devfreq.c:784, 878-904; kernel/notifier.c, srcu_init_notifier_head()",
    "from dev_set_name() to the kcalloc() of time_in_state a failure ends in "
    "devfreq_dev_release(), which cleans up an SRCU head that is initialised only behind them; "
    "and that initialisation, when it fails, is a BUG()",
    steps=("dev_set_name", "srcu_init_notifier_head"),
)  # fmt: skip
IO_PGTABLE = Known(
    "probe", "alloc_io_pgtable_ops", "drivers/gpu/drm/panthor/panthor_mmu.c, panthor_vm_create()",
    "the page table is refused as a NULL, which is taken for EINVAL", errnos=("EINVAL",),
)  # fmt: skip
OPP_PROPERTY = Known(
    "probe", "_parse_named_prop", "drivers/opp/of.c, _parse_named_prop()",
    "an operating point whose properties find no memory is taken for a wrong one",
    errnos=("EINVAL",),
)  # fmt: skip
IRQ_NAME = Known(
    "probe", "fwnode_irq_get_byname", "drivers/base/platform.c, __platform_get_irq_byname()",
    "whatever its error, the interrupt is said not to be there, and the driver hands that on",
    errnos=("ENXIO", "ENODEV"),
)  # fmt: skip
FW_SECTION = Known(
    "probe", "panthor_fw_init_section_mem", "drivers/gpu/drm/panthor/panthor_fw.c",
    "a section that cannot be mapped for the CPU is a warning, and the firmware is booted "
    "without what belongs there", warns=True,
)  # fmt: skip
DRM_SCHEDULER = Known(
    "group", "drm_sched_init",
    "drivers/gpu/drm/scheduler/sched_main.c:1105, 1133-1135, 1207-1226; "
    "drivers/gpu/drm/panthor/panthor_sched.c:924",
    "it sets sched->ops before it can fail, which group_free_queue() takes for a scheduler "
    "that drm_sched_fini() can end",
)  # fmt: skip
KNOWN = (DRM_MINOR, DEVFREQ, OPP_PROPERTY, IO_PGTABLE, IRQ_NAME, FW_SECTION, DRM_SCHEDULER)


def fatal_among(path: Path, order: Sequence[Site]) -> list[tuple[Known, dict[Site, int]]]:
    """What of a path cannot be swept, and where that is."""
    mine = [(known, known.among(order)) for known in KNOWN if known.path == path and known.fatal]
    return [(known, found) for known, found in mine if found]


def survived(path: Path, failed: Sequence[Site]) -> list[tuple[Known, int]]:
    """What else is known of a path, and how many failing allocations met it."""
    mine = [known for known in KNOWN if known.path == path and not known.fatal]
    met = [(known, known.among(set(failed))) for known in mine]
    return [(known, sum(site in found for site in failed)) for known, found in met if found]


def wrong_errnos(
    ends: Counter[str], right: Sequence[str], met: Sequence[tuple[Known, int]]
) -> dict[str, int]:
    """How often a path ended with an errno that neither means no memory nor is known."""
    left = ends - Counter({name: ends[name] for name in right})
    for known, count in met:
        excused = [name for name in left.elements() if name in known.errnos]
        left -= Counter(excused[:count])
    return dict(left)
