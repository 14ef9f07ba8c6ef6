# SPDX-License-Identifier: MIT
"""A git branch of small commits inside panthor, with one that breaks the driver among them.

What a commit does to the source is said by its subject, so that the test knows what the
search must say of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rig.bench.history import Branch, Edit
from rig.bench.history import begin as begin_of
from rig.options import Options
from rig.testbed import TestBed
from rig.ui import Reporter

HARMLESS = ("panthor_drv.c", "panthor_heap.c", "panthor_devfreq.c", "panthor_gpu.c")
INIT = "\theap = dma_heap_find(protected_heap_name);\n"
DEFER = '-EPROBE_DEFER,\n\t\t\t\t     "protected heap'


def begin(path: Path) -> Branch:
    """A history of one commit: Linux 7.3 with heap-name."""
    return begin_of(TestBed(Options(), Reporter()), path)


def harmless(number: int) -> tuple[str, Edit]:
    """A file and a change of it that changes the module, and nothing that it does."""
    line = f'\nMODULE_INFO(step{number}, "1");\n'
    return HARMLESS[number % len(HARMLESS)], lambda text: text + line


def appended(line: str) -> tuple[Edit, Edit]:
    """Put a line at the end, and take it away again."""
    return lambda text: f"{text}{line}\n", lambda text: text.replace(f"{line}\n", "")


def before_find(lines: str) -> tuple[Edit, Edit]:
    """Put code before panthor looks for its heap, and take it away again."""
    return lambda text: text.replace(INIT, lines + INIT), lambda text: text.replace(lines, "")


NO_BUILD = appended("#error planted: this commit does not build")
OOPS = before_find("\tWRITE_ONCE(*(int *)(uintptr_t)(READ_ONCE(jiffies) & 0), 0);\n")
FLAKE = before_find("\tif (ktime_get_real_ns() & 0x400)\n\t\treturn -EIO;\n")
"""Fails about every second probe, otherwise than the culprit."""


def culprit(text: str) -> str:
    """The probe does not wait for the heap any more."""
    return text.replace(DEFER, DEFER.replace("EPROBE_DEFER", "ENODEV"))


def seldom(text: str) -> str:
    """The same in three of four probes, by the clock, which no snapshot brings back."""
    number = "(ktime_get_real_ns() & 0xc00) ? -ENODEV : -EPROBE_DEFER"
    return text.replace(DEFER, DEFER.replace("-EPROBE_DEFER", number))


def half(text: str) -> str:
    """The same in every second probe."""
    return text.replace(DEFER, DEFER.replace("-EPROBE_DEFER", _HALF))


_HALF = "(ktime_get_real_ns() & 0x400) ? -ENODEV : -EPROBE_DEFER"


@dataclass(frozen=True)
class Plan:
    """What each of `count` commits is; those not named are harmless."""

    count: int
    bad: int
    no_build: Collection[int] = ()
    oopses: Collection[int] = ()
    flakes: Collection[int] = ()
    break_it: Edit = culprit

    def specials(self, number: int) -> Iterator[tuple[str, Edit]]:
        """Files that a commit edits, and how, beyond its harmless edit."""
        for name, numbers, (do, undo) in (
            ("panthor_fw.c", self.no_build, NO_BUILD),
            ("panthor_device.c", self.oopses, OOPS),
            ("panthor_device.c", self.flakes, FLAKE),
        ):
            if (number in numbers) != (number - 1 in numbers):
                yield name, do if number in numbers else undo
        if number == self.bad:
            yield "panthor_device.c", self.break_it

    def kind(self, number: int) -> str:
        """What a commit is, for its subject."""
        if number == self.bad:
            return "the culprit"
        if number in self.no_build:
            return "does not build"
        return (
            "oopses" if number in self.oopses else "flakes" if number in self.flakes else "harmless"
        )


def plant(path: Path, plan: Plan) -> Branch:
    """The branch of a plan."""
    branch = begin(path)
    for number in range(1, plan.count + 1):
        for name, change in (harmless(number), *plan.specials(number)):
            branch.edit(name, change)
        branch.commit(f"step {number}: {plan.kind(number)}")
    return branch
