# SPDX-License-Identifier: MIT
"""Allocations that fail on purpose: which of them may, and where those were that did.

Which allocation is the n-th differs from try to try: the slab allocator takes pages for itself
now and then. Numbers alone would therefore leave some out unseen. A probe on the function that
decides notes the call trace of each decision: of all that a path asks for, and of those that
failed. The path was swept when the second set holds the first.

Needs CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC, CONFIG_FAULT_INJECTION_STACKTRACE_FILTER and
CONFIG_KPROBE_EVENTS (Documentation/fault-injection/fault-injection.rst, trace/kprobetrace.rst).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from rig.errors import FailureClass
from rig.scenarios.kit import Scenario, check
from rig.scenarios.terms import TRACE

Kind = Literal["slab", "tree", "page"]
"""Objects of the slab allocator, the nodes of its trees among them, and pages."""
Site = tuple[str, ...]
"""A call trace, innermost first: `function+0x…/0x…`, with ` [module]`; up to the driver's entry."""

DRIVER = "panthor"
SLAB, PAGE = "/sys/kernel/debug/failslab", "/sys/kernel/debug/fail_page_alloc"
DECIDES: dict[Kind, str] = {
    "slab": "should_failslab",
    "tree": "should_failslab",
    "page": "should_fail_alloc_page",
}
"""mm/failslab.c:19, mm/fail_page_alloc.c:26: not 0 when the allocation fails."""
CACHES = "/sys/kernel/slab"
NODES = "radix_tree_node"
TWICE: dict[Kind, tuple[str, ...]] = {"tree": ("twice",)}
"""A node that fails is asked for once more outside the tree's lock (lib/xarray.c, xas_nomem()):
only when that fails too is the path told of it."""
NODE_ALLOCATORS = ("xas_alloc", "radix_tree_node_alloc", "xas_nomem", "idr_preload")
CHECKERS_CACHES = ("kmemleak_object", "kmemleak_scan_area", "debug_objects_cache")
NEVER: dict[Kind, str] = {"tree": "add_dma_entry", "page": "new_slab"}
"""Where a checker, or the slab allocator, asks for itself: kernel/dma/debug.c:670, whose checks
end for good when it gets no node; mm/slub.c:3503, without which a slab object fails."""
DEPTH = 32
"""Frames that the filter looks at, from the deciding function on: lib/fault-inject.c:85."""
ALLOCATORS_OWN = re.compile(
    r"^(new_slab|refill_\w+|__?alloc_empty_sheaf|__pcs_\w+|kmemleak_\w+|__?create_object|"
    r"stack_depot_\w+|kasan_save_\w+|__kfence\w+|add_dma_entry|dma_entry_alloc|fill_pool|"
    r"idr_alloc_cyclic)(\.\w+)*\+"
)
"""Needs of the allocator and its checkers; they come and go, and are no step of the path. So does
the node for each 64th name that sysfs ever gave away (fs/kernfs/dir.c:671, idr_alloc_cyclic())."""
_EVENT = "rig_decides"
_SYMBOL = re.compile(r"^([0-9a-f]+) [tT] (\S+)(?:\s+\[(\w+)\])?$", re.MULTILINE)
_STACK = re.compile(r"<stack trace>\n((?: => .*\n)+)")
_FRAME = re.compile(r"^ => (.+?)\s*$", re.MULTILINE)
_PROBES_OWN = re.compile(r"^(\[unknown|_*kretprobe|(arch_)?rethook|(do_)?el1h?_|0x|should_fail)")


@dataclass(frozen=True)
class Code:
    """A range of the kernel's code."""

    start: int
    end: int


class Symbols:
    """/proc/kallsyms of a guest."""

    def __init__(self, text: str) -> None:
        self._all = sorted(
            (int(address, 16), name, module) for address, name, module in _SYMBOL.findall(text)
        )

    def function(self, name: str) -> Code:
        """One function, up to the next. Raises `RigError` (INFRA): there is none."""
        for this, after in zip(self._all, self._all[1:], strict=False):
            if this[1] == name and after[0] > this[0]:
                return Code(this[0], after[0])
        check(False, f"the kernel has no function {name}", FailureClass.INFRA)
        raise AssertionError

    def module(self, name: str) -> Code:
        """The functions of a module, to the end of their last page."""
        found = [address for address, _, module in self._all if module == name]
        check(found, f"the kernel has no module {name}", FailureClass.INFRA)
        return Code(found[0], (found[-1] | 0xFFF) + 1)


def sites(trace: str, entry: str, kind: Kind) -> list[Site]:
    """The decisions in a trace that were made below a function of the driver, in their order.

    Not those of the allocator itself, of another kind, or too deep for the filter to see the
    driver.
    """
    found = []
    for block in _STACK.findall(trace):
        frames = [frame for frame in _FRAME.findall(block) if not _PROBES_OWN.match(frame)]
        mine = [n for n, frame in enumerate(frames) if frame.endswith(f"[{DRIVER}]")]
        if not mine or mine[0] + 2 >= DEPTH or any(map(ALLOCATORS_OWN.match, frames)):
            continue
        node = any(frame.startswith(NODE_ALLOCATORS) for frame in frames)
        if name_of(frames[mine[-1]]) == entry and (kind == "page" or node == (kind == "tree")):
            found.append(tuple(frames[: mine[-1] + 1]))
    return found


def name_of(frame: str) -> str:
    """The function of a frame."""
    return frame.partition("+")[0].partition(".")[0]


def told(site: Site) -> str:
    """A site in words: the innermost function of the driver, and what it called."""
    names = [name_of(frame) for frame in site]
    mine = next(n for n, frame in enumerate(site) if frame.endswith(f"[{DRIVER}]"))
    return f"{names[mine]}: {' < '.join(names[:mine]) or 'an allocation'}"


def chosen(kind: Kind) -> list[str]:
    """Lines of shell that leave one kind alone open: what is not open is not counted either."""
    if kind == "page":
        return [f"echo N > {PAGE}/ignore-gfp-highmem", f"echo 0 > {PAGE}/min-order"]
    lines = [f"echo 64 > {PAGE}/min-order"]  # no allocation is that large
    if kind == "tree":
        return [*lines, f"echo 1 > {CACHES}/{NODES}/failslab"]
    lines.append(f"for one in {CACHES}/*/failslab; do echo 1 > $one; done")
    shut = (NODES, *CHECKERS_CACHES)
    return [*lines, *(f"echo 0 > {CACHES}/{name}/failslab" for name in shut)]


@contextmanager
def injection(rig: Scenario, kind: Kind, below: Code, never: Code) -> Iterator[None]:
    """Inside the block allocations of one kind may fail below `below`, not below `never`."""
    folder = PAGE if kind == "page" else SLAB
    settings = {"probability": "100" if kind == "tree" else "0", "times": "0"}
    settings |= {"ignore-gfp-wait": "N", "verbose": "0", "stacktrace-depth": str(DEPTH)}
    settings |= {"require-start": hex(below.start), "require-end": hex(below.end)}
    settings |= {"reject-start": hex(never.start), "reject-end": hex(never.end)}
    lines = [f"echo {value} > {folder}/{name}" for name, value in settings.items()]
    lines += [f"echo Y > {SLAB}/cache-filter", *chosen(kind)]
    lines.append(f"echo 'r:rig/{_EVENT} {DECIDES[kind]} ret=$retval:u8' > {TRACE}/kprobe_events")
    lines += [f"echo 1 > {TRACE}/options/sym-offset", f"echo 16384 > {TRACE}/buffer_size_kb"]
    rig.sh(" && ".join(lines))
    yield
    rig.sh(f"echo > {TRACE}/kprobe_events")


def never(rig: Scenario, kind: Kind, code: Code) -> None:
    """From here on no allocation below this code may fail."""
    _filter(rig, kind, "reject", code)


def only(rig: Scenario, kind: Kind, code: Code) -> None:
    """From here on allocations below this code alone may fail."""
    _filter(rig, kind, "require", code)


def _filter(rig: Scenario, kind: Kind, name: str, code: Code) -> None:
    folder = PAGE if kind == "page" else SLAB
    rig.sh(f"echo {code.start:#x} > {folder}/{name}-start && "
           f"echo {code.end:#x} > {folder}/{name}-end")  # fmt: skip


@contextmanager
def noted(rig: Scenario, condition: str) -> Iterator[list[str]]:
    """Note the call traces of decisions for which a trace filter holds; given at the end."""
    trigger = f"{TRACE}/events/rig/{_EVENT}/trigger"
    rule = f"stacktrace if {condition}"
    rig.sh(f"echo > {TRACE}/trace && echo '{rule}' > {trigger}")
    found: list[str] = []
    yield found
    rig.sh(f"echo '!{rule}' > {trigger}")
    text = rig.sh(f"cat {TRACE}/trace")
    check("LOST" not in text, "the kernel's trace buffer was too small", FailureClass.INFRA)
    (rig.session.run_dir / "sites.trace").write_text(text)
    found.append(text)
