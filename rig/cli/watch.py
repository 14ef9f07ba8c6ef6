# SPDX-License-Identifier: MIT
"""`rig watch`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rig import catalogue, doctor
from rig.catalogue import Entry
from rig.cli.options import bed_options, to_options
from rig.errors import RigError, usage
from rig.kernel.changes import Changes
from rig.kernel.edits import Edits
from rig.report import table
from rig.runner import expecting, new_run_dir, run
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.verdict import Verdict
from rig.watch import Watcher, at_the_users_line, since


class Runs:
    """Gives every run its folder, the first of a round before its modules are built."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    @contextmanager
    def around(self, bed: TestBed, chosen: Sequence[Entry]) -> Iterator[None]:
        """Around a build and the run behind it: the guest is restored meanwhile."""
        self._folder = new_run_dir(bed.builder.store, "watch")
        try:
            with expecting(bed, chosen, self._folder):
                yield
        finally:
            if self._folder is not None:  # nothing was run
                shutil.rmtree(self._folder)
                self._folder = None

    def judge(self, bed: TestBed, chosen: Sequence[Entry]) -> Sequence[Verdict]:
        """One run."""
        folder, self._folder = self._folder, None
        return run(bed, chosen, folder or new_run_dir(bed.builder.store, "watch")).verdicts


@click.command("watch")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO|FAMILY]...")
@bed_options
def command(scenarios: tuple[str, ...], **arguments: Any) -> int:
    """Judge the tree now and again whenever it changes, until Ctrl-C.

    Builds what the change needs (the module alone where that suffices), restores guests
    and runs the scenarios: those that failed last first, the others when these pass. A
    compile error is printed once, with its line in your tree. Patch folders given by
    --series are watched too.
    """
    options = to_options(arguments)
    if options.kernel is None:
        raise usage("nothing to watch: the default tree does not change", "give --kernel TREE")
    tree = options.kernel.resolve()
    ui, out = Reporter(), output()
    machine = TestBed(options, ui)
    doctor.ensure(ui)
    machine.build_machine()
    began = time.monotonic()

    def told(verdicts: Sequence[Verdict]) -> None:
        table.print_verdicts(out, f"{table.summary(verdicts)} in {since(began)}", verdicts)

    def refused(error: RigError) -> None:
        out.print(at_the_users_line(error, machine.repo.worktree, tree), markup=False,
                  soft_wrap=True)  # fmt: skip
        if error.log is not None:
            out.print(f"  log: {error.log}", soft_wrap=True)

    chosen, runs = catalogue.select(scenarios, catalogue.entries()), Runs()
    watcher = Watcher(chosen, runs.judge, told, refused, runs.around)
    patches = [path for path in options.series or () if path.is_dir()]
    with Changes([tree, *map(Path.resolve, patches)]) as changes:
        edits = Edits(machine.repo, tree, str(options.kernel))
        while True:
            fresh = TestBed(options, ui, machine.builder.store)
            fresh.base = edits.state(changes.taken())
            watcher.round(machine.at(fresh.tree, fresh.repo))
            changes.wait()
            began = time.monotonic()
