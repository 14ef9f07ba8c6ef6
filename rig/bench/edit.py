# SPDX-License-Identifier: MIT
"""From an edit of panthor to its verdict, and a bisection over commits of it.

Beside them, in turns: `make M=` of the module alone (what the compiler needs whatever the
rig does), and what one does without the rig: `make modules`, a boot, the same scenario.
All of a round have the same edit to make: a line more in panthor_fw.c.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rig.artifacts.kernel import WORKTREE, KernelBuild, ModulesRecipe
from rig.artifacts.recipe import Job
from rig.bench.figures import Figure, compared
from rig.bench.history import Branch, begin
from rig.bisect import Bisector, GitHistory
from rig.catalogue import Entry, entries, select
from rig.errors import FailureClass, RigError
from rig.kernel.changes import Changes
from rig.kernel.repo import PANTHOR, KernelRepo
from rig.kernel.revisions import Revisions
from rig.runner import run
from rig.states import Referee
from rig.testbed import LINUX, TestBed
from rig.verdict.verdict import Outcome, Verdict
from rig.watch import Watcher

SCENARIO = "probe-defer/heap-late"
FILE = "panthor_fw.c"
BEYOND_MAKE_S = 2.0
"""What a verdict may take beyond `make M=` of the module alone."""
COMMITS = 32
STEPS = 5
"""A bisection over `COMMITS` may take this part of as many verdicts one after the other."""
BREAK_IT = '-EPROBE_DEFER,\n\t\t\t\t     "protected heap'
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """Seconds for the same edit."""

    module: float
    """`make M=` of the module alone."""
    ours: float
    """From the write of the file to the verdict, as `rig watch` does it."""
    plain: float
    """`make modules`, a boot and the scenario."""
    boot: float
    """The boot in it, to the agent's answer."""


class UserTree:
    """A kernel tree of the state under test whose panthor_fw.c changes, and commits of it."""

    def __init__(self, bed: TestBed, path: Path) -> None:
        """The files are links to the rig's fetched sources: each is replaced, never written."""
        source = bed.builder.sources.tree(LINUX).path
        shutil.rmtree(path, ignore_errors=True)  # of a bench that was killed
        subprocess.run(["cp", "-al", source, path], check=True)
        self.path, self._token = path, time.time_ns()
        # apart: the distribution's .gitignore has all of the kernel, which is no user's case
        commits = path.with_name("commits")
        shutil.rmtree(commits, ignore_errors=True)
        self.branch = begin(bed, commits)
        changed = self.branch.git("diff-tree", "-r", "--name-only", bed.base.id, bed.tree.id)
        for name in (*changed.splitlines(), f"{PANTHOR}/{FILE}"):
            (path / name).unlink(missing_ok=True)
            self.branch.git(f"--work-tree={path}", "checkout-index", "--", name)
        self._file = path / PANTHOR / FILE
        self._text = self._file.read_text()

    def line(self, number: int) -> str:
        """Something that was never built before."""
        return f'MODULE_INFO(bench{number}, "{self._token}");\n'

    def edit(self, number: int) -> None:
        """As an editor does it: another file takes the place of the old one."""
        new = self._file.with_suffix(".new")
        new.write_text(self._text + self.line(number))
        new.replace(self._file)

    def commits(self, number: int, bad: int) -> list[str]:
        """A fresh history of `COMMITS`, of which the `bad`th breaks the driver."""
        branch = Branch(self.branch.path, self.branch.commits[:1])
        branch.git("read-tree", branch.commits[0])
        for step in range(1, COMMITS + 1):
            line = self.line(number * 1000 + step)
            branch.edit(FILE, lambda text, line=line: text + line)  # type: ignore[misc]
            if step == bad:
                branch.edit("panthor_device.c", _broken)
            branch.commit(f"step {step}")
        return branch.commits


def _broken(text: str) -> str:
    return text.replace(BREAK_IT, BREAK_IT.replace("-EPROBE_DEFER", "-ENODEV"))


def edit_figures(bed: TestBed, run_dir: Path, rounds: int, tell: Tell) -> list[Figure]:
    """Rounds of all three in turns, after one unmeasured; then the bisections."""
    with bed.builder.store.lock("bench", "rig: another rig measures edits; waiting for it"):
        return _measured(bed, run_dir, rounds, tell)


def _measured(bed: TestBed, run_dir: Path, rounds: int, tell: Tell) -> list[Figure]:
    # always the same path: the rig keeps an index of each tree that it has seen
    tree, bench = UserTree(bed, bed.builder.store.work("bench") / "linux"), _Bench(bed, run_dir)
    found: list[Round] = []
    for number in range(rounds + 1):
        found.append(bench.round(tree, number))
        told = found[-1]
        tell(f"edit {number}/{rounds}: make M= {told.module:.2f} s, verdict {told.ours:.2f} s, "
             f"make and boot {told.plain:.2f} s")  # fmt: skip
    searched = []
    for number in range(1, rounds + 1):
        searched.append(bench.search(tree, number))
        tell(f"bisect {number}/{rounds}: {searched[-1]:.1f} s")
    shutil.rmtree(tree.path)
    shutil.rmtree(tree.branch.path)
    return _figures(found[1:], searched)


def _figures(rounds: Sequence[Round], searched: Sequence[float]) -> list[Figure]:
    module, ours, plain, boot = (
        [getattr(one, name) for one in rounds] for name in ("module", "ours", "plain", "boot")
    )
    beyond = tuple(a - b for a, b in zip(ours, module, strict=True))
    allowed = [COMMITS / STEPS * (one + BEYOND_MAKE_S) for one in module]
    by_hand = [(STEPS + 2) * one for one in plain]
    return [
        Figure("make M= of panthor after an edit", "s", tuple(module)),
        Figure("edit to verdict", "s", tuple(ours)),
        Figure("edit to verdict beyond make M=", "s", beyond, BEYOND_MAKE_S),
        Figure("edit to verdict by make and boot", "s", tuple(plain)),
        compared("edit to verdict, rig/make and boot", ours, plain, 1.0),
        compared("edit to verdict/cold boot", ours, boot, None),
        Figure(f"bisect over {COMMITS} commits", "s", tuple(searched)),
        compared(f"bisect/({COMMITS}/{STEPS} x (make M= + {BEYOND_MAKE_S:.0f} s))",
                 searched, allowed, 1.0),
        compared(f"bisect/{STEPS + 2} x make and boot", searched, by_hand, 1.0),
        compared("bisect/cold boot", searched, boot, None),
    ]  # fmt: skip


class _Bench:
    """The machine, and what stays between rounds."""

    def __init__(self, bed: TestBed, run_dir: Path) -> None:
        self._bed, self._run_dir = bed, run_dir
        (self._entry,) = select([SCENARIO], entries())
        self._module = run_dir / "module"

    def round(self, tree: UserTree, number: int) -> Round:
        """One edit, three ways; that of the rig first, for it leaves the tree to the others."""
        bed, ours = self._ours(tree, number)
        recipe = ModulesRecipe(bed.repo, bed.tree)
        log = self._run_dir / "make.log"
        job = Job(recipe, bed.builder, "0" * 20, self._run_dir, log)
        with bed.builder.store.lock(WORKTREE):
            kernel = KernelBuild(job, bed.repo, bed.tree, recipe.flavour)
            key = bed.builder.get(recipe.image()).key
            if not kernel.holds(key):
                kernel.image(key)
                kernel.panthor()
            module = self._make_module(kernel)
            made = self._make_modules(kernel)
        cold = bed.at(bed.tree)
        cold.options = replace(bed.options, cold=True)
        started = time.monotonic()
        verdict = self._run(cold, [self._entry])[0]
        plain = made + time.monotonic() - started
        boot = sum(spent for stage, spent in verdict.stages.items() if stage != "scenario")
        return Round(module, ours, plain, boot)

    def _ours(self, tree: UserTree, number: int) -> tuple[TestBed, float]:
        """What `rig watch` does, from the write of the file on."""
        options = replace(self._bed.options, kernel=tree.path, series=())
        verdicts: list[Verdict] = []
        watcher = Watcher([self._entry], self._run, verdicts.extend, _refused)
        with Changes([tree.path]) as changes:
            started = time.monotonic()
            tree.edit(number)
            changes.wait()
            fresh = TestBed(options, self._bed.ui, self._bed.builder.store)
            bed = self._bed.at(fresh.tree, fresh.repo)
            watcher.round(bed)
            spent = time.monotonic() - started
        _require(verdicts, Outcome.PASS)
        return bed, spent

    def _run(self, bed: TestBed, chosen: Sequence[Entry]) -> list[Verdict]:
        folder = self._run_dir / "guests"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        verdicts = run(bed, chosen, folder).verdicts
        _require(verdicts, Outcome.PASS)
        return verdicts

    def _make_module(self, kernel: KernelBuild) -> float:
        """`make M=` in a copy, which is an external module's folder to kbuild."""
        if not self._module.exists():
            shutil.copytree(kernel.source / PANTHOR, self._module)
            self._timed(kernel, f"M={self._module}", f"MO={self._module}", "modules")
        (self._module / FILE).touch()
        return self._timed(kernel, f"M={self._module}", f"MO={self._module}", "modules")

    def _make_modules(self, kernel: KernelBuild) -> float:
        (kernel.source / PANTHOR / FILE).touch()
        return self._timed(kernel, "modules")

    @staticmethod
    def _timed(kernel: KernelBuild, *argv: str) -> float:
        started = time.monotonic()
        kernel.make(*argv, what="make")
        return time.monotonic() - started

    def search(self, tree: UserTree, number: int) -> float:
        """Seconds of one bisection over a history that nobody has seen."""
        bad = 1 + number * 11 % COMMITS
        commits = tree.commits(number, bad)
        started = time.monotonic()
        revisions = Revisions(tree.branch.path)
        repo = KernelRepo(self._bed.builder.store, borrow=revisions.objects)
        folder = self._run_dir / f"bisect-{number}"
        referee = Referee(self._bed, folder, repo=repo)
        history = GitHistory(revisions, repo, [])
        found = Bisector(history, referee, self._entry, lambda _line: None).search(
            commits[0], commits[-1]
        )
        spent = time.monotonic() - started
        if found.first_bad.state.name != commits[bad] or found.suspects:
            raise RigError(FailureClass.ASSERT, "the bisection found another commit", log=folder)
        return spent


def _refused(error: RigError) -> None:
    raise error


def _require(verdicts: Sequence[Verdict], outcome: Outcome) -> None:
    for verdict in verdicts:
        if verdict.outcome is not outcome:
            raise RigError(FailureClass.ASSERT, f"{verdict.scenario}: {verdict.sentence}")
