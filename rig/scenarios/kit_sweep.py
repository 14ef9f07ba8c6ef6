# SPDX-License-Identifier: MIT
"""A sweep: the allocations of a path fail one by one, and behind each it must have unwound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rig.deadlines import JOB_S
from rig.errors import FailureClass
from rig.scenarios.kit import DRIVER, GPU_DEVICE, Scenario, check
from rig.scenarios.kit_injection import NEVER, TWICE, Kind, Site, Symbols, never, noted, sites
from rig.scenarios.kit_known import Known, Path, fatal_among, survived, wrong_errnos
from rig.verdict.verdict import Note, NoteKind

Row = dict[str, str]
"""What `failnth` says of one number."""
NAME = "rig-heap"
HEAP_BYTES = 16 << 20
MINUTES = 20 * JOB_S
DRY = ("1000000", "1000000")
"""A number that no path reaches: a try in which nothing fails."""
ENTRY: dict[Path, str] = {"probe": "panthor_probe", "group": "panthor_ioctl_group_create"}
ROUNDS = 4
"""A place left out, since the numbers moved, comes in the next round. One that is not there in
every unharmed try (a cache of the kernel ran empty just then) is not demanded."""

SLACK = 8
"""A sheaf or a slab of the allocator's own is counted too: three in 500 were seen."""

HELD = ("usage", "clocks", "dmabufs", "heap")
NO_MEMORY = ("ENOMEM", "ENOSPC")
"""mm/shmem.c says ENOSPC when it gets no memory for an inode, and with it every buffer object."""


@dataclass(frozen=True)
class Span:
    """Numbers of allocations, from 1 on; without a last one to the end of the path."""

    first: int
    last: int | None

    @property
    def slice(self) -> slice:
        """Of a list of the path's allocations."""
        return slice(self.first - 1, self.last)

    @property
    def arguments(self) -> tuple[str, ...]:
        """For `failnth`: a little more at both ends, since the numbers move."""
        first = str(max(1, self.first - SLACK))
        return (first,) if self.last is None else (first, str(self.last + SLACK))


@dataclass
class Sweep:
    """One path, one kind of allocation, and what failed of it so far."""

    rig: Scenario
    path: Path
    kind: Kind
    rows: list[Row] = field(default_factory=list)
    """The tries in which an allocation failed."""
    failed: list[Site] = field(default_factory=list)
    """Where each of them was."""
    left_out: set[Site] = field(default_factory=set)

    def prepare(self) -> Symbols:
        """The driver bound with the stand-in heap; unbound for its probe."""
        rig = self.rig
        rig.add_heap(NAME, HEAP_BYTES)
        rig.load_panthor(heap=NAME)
        rig.wait_bound()
        if self.path == "probe":
            rig.sh(f"echo {GPU_DEVICE} > {DRIVER}/unbind")
        else:
            rig.keep_gpu_on()
        return Symbols(rig.session.agent.get("/proc/kallsyms").decode())

    def places(self) -> list[Site]:
        """Where an unharmed path asks for memory, in its order."""
        with noted(self.rig, 'comm == "failnth"') as found:
            rows = self.tried(*DRY)
        check(all(int(row["left"]) for row in rows), "an allocation failed that was not to",
              FailureClass.INFRA)  # fmt: skip
        return sites(found[0], ENTRY[self.path], self.kind)

    def tried(self, *numbers: str) -> list[Row]:
        """What `failnth` says of each number, in the order of its lines; it ends with a bad one."""
        with self.rig.driver_may_complain():
            argv = ("failnth", *TWICE.get(self.kind, ()), self.path, GPU_DEVICE, *numbers)
            done = self.rig.try_run(*argv, timeout=MINUTES)
        last = (done.output.strip().splitlines() or ["it printed nothing"])[-1]
        check(last == "RESULT ok", f"the sweep of {self.path} ended early: {last}")
        lines = [line for line in done.output.splitlines() if line.startswith("n=")]
        return [dict(word.split("=") for word in line.split()) for line in lines]

    def leave_out(self, symbols: Symbols, order: Sequence[Site]) -> None:
        """Nothing that Linux does not survive may fail, nor what is not the path's own."""
        if self.kind in NEVER:
            never(self.rig, self.kind, symbols.function(NEVER[self.kind]))
            return
        fatal = fatal_among(self.path, order)
        check(len(fatal) <= 1, "the filter of failslab takes one range", FailureClass.INFRA)
        for known, found in fatal:
            never(self.rig, self.kind, known.code(found, symbols))
            self.note(known, f"{len(found)} places in {known.function}() are left out")
            self.left_out |= set(found)

    def note(self, known: Known, what: str) -> None:
        """Tell of a defect of Linux that the sweep went round."""
        text = f"{what} ({known.where}): {known.what}"
        self.rig.notes.append(Note(NoteKind.KNOWN_ISSUE, text))

    def every(self, order: list[Site], span: Span) -> set[Site]:
        """Until all places of a span have failed, but for those left out; those that never did."""
        wanted = set(order[span.slice]) - self.left_out
        for _ in range(ROUNDS):
            counted = [site for site in order if site not in self.left_out]
            late = wanted.difference(self.failed)
            numbers = [n for n, site in enumerate(counted, 1) if site in late]
            if not numbers:
                break
            endless = span.last is None and not self.rows
            self.fail(Span(numbers[0], None if endless else numbers[-1]))
            if wanted.issubset(self.failed):
                break
            order = self.places()
            wanted &= set(order)
        return wanted.difference(self.failed)

    def fail(self, span: Span) -> None:
        """Each allocation of a span in turn. Raises at the first try that did not unwind."""
        with noted(self.rig, "ret != 0") as found:
            rows = self.tried(*span.arguments)
        now = sites(found[0], ENTRY[self.path], self.kind)
        self.failed += now
        self.rows += judge(self.path, rows, survived(self.path, now))


def judge(path: Path, rows: list[Row], met: Sequence[tuple[Known, int]] = ()) -> list[Row]:
    """Raise at the first try that did not unwind; the tries in which an allocation failed."""
    for row in rows:
        after = f"behind the failing allocation {row['n']} of {path} ({row['errno']})"
        held = {name: row[name] for name in HELD if row[name] != "0"}
        check(not held, f"more is held {after} than before: {held}")
        check(row["again"] == "0", f"{path} fails with {row['again']} {after}")
        check(int(row["left"]) == 0 or row["errno"] == "0",
              f"{path} failed with {row['errno']} although no allocation did")  # fmt: skip
    reached = [row for row in rows if int(row["left"]) == 0]
    ends = Counter(row["errno"] for row in reached if row["errno"] != "0")
    others = wrong_errnos(ends, NO_MEMORY, met)
    check(not others, f"failing allocations ended as {others}, not as {' or '.join(NO_MEMORY)}")
    return reached
