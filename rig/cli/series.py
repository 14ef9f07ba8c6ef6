# SPDX-License-Identifier: MIT
"""`rig series`."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rig import catalogue, doctor
from rig.cli import completion
from rig.cli.options import begin_of, machine_options, to_options
from rig.kernel.patches import from_stdin, load_series
from rig.kernel.repo import KernelRepo, require_kernel
from rig.kernel.revisions import Revisions, base_note
from rig.report import matrix as report
from rig.report.keep import keep_series
from rig.runner import new_run_dir
from rig.series import matrix, states_of, states_of_commits
from rig.states import Referee, Ruling, State
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.verdict import exit_code

WIDTH = 200  # of the table where there is no terminal: never cut a verdict

_PATH = click.Path(path_type=Path)
_RANGE = re.compile(r"(?!\.\./)(.*[^./])\.\.(?![./])(.*)")  # OLD..NEW, but not a/../b


@click.command("series")
@click.argument("patches", type=_PATH, metavar="DIR|MBOX|-|OLD..NEW")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO|FAMILY]...",
                shell_complete=completion.scenarios)  # fmt: skip
@machine_options
@click.option(
    "--prereq",
    type=_PATH,
    multiple=True,
    metavar="DIR|MBOX",
    help="Patches below the series, in order; repeatable. The base row has them.",
)
@click.option("--again", is_flag=True, help="Boot guests even where the verdict is known.")
@click.option(
    "--json",
    "json_file",
    type=_PATH,
    metavar="FILE",
    help="File to write the table to as JSON. Default: none.",
)
def command(
    patches: Path,
    scenarios: tuple[str, ...],
    prereq: tuple[Path, ...],
    again: bool,
    json_file: Path | None,
    **arguments: Any,
) -> int:
    """Judge every patch of a series: does it work, and if not, which patch broke what?

    The series is a folder of patches, an mbox, - for an mbox on stdin, or the commits
    OLD..NEW of --kernel (default: the current folder).

    Each state is built in the rig's own worktree; the tree given by --kernel is only
    read. Exit code: that of the last patch (0 pass, 1 fail, 125 cannot judge, 128 and
    above: the rig itself failed). The same command goes on after Ctrl-C.
    """
    chosen = catalogue.select(scenarios, catalogue.entries())
    commits = None if patches.exists() else _RANGE.fullmatch(str(patches))
    if commits and prereq:
        raise click.UsageError("--prereq goes with patches, not with commits")
    if commits:
        arguments["kernel"] = arguments["kernel"] or Path()
        require_kernel(arguments["kernel"])
    started = time.monotonic()
    ui = Reporter()
    bed = TestBed(to_options(arguments, prereq), ui)
    repo, states = _of_commits(bed, *commits.groups()) if commits else _of_patches(bed, patches)
    doctor.ensure(ui)
    with ui.stage("machine"):
        bed.build_machine()
    run_dir = new_run_dir(bed.builder.store, "series")
    referee = Referee(bed, run_dir, repo=repo, since=begin_of(again))
    rows = matrix(referee, states, chosen, lambda row: ui.say(_progress(row, len(states))))
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = WIDTH
    title = f"{patches} of {bed.options.kernel}" if commits else f"{patches} on {bed.tree.label}"
    report.print_matrix(out, title, rows)
    keep_series(referee.run_dir, title, rows, time.monotonic() - started)
    if json_file is not None:
        report.write_json(json_file, rows)
    out.print(f"{len(states)} states in {time.monotonic() - started:.1f} s")
    return exit_code([judged.verdict for judged in rows[-1].judged])


def _of_patches(bed: TestBed, patches: Path) -> tuple[KernelRepo, list[State]]:
    patches = from_stdin(patches, bed.builder.store.work("series"), sys.stdin.buffer)
    loaded = load_series(patches)
    if note := base_note(patches, bed.options.kernel):
        bed.ui.say(f"rig: {note}")
    name = patches.stem if patches.suffix else patches.name
    return bed.repo, states_of(bed.repo, bed.tree, loaded, name)


def _of_commits(bed: TestBed, old: str, new: str) -> tuple[KernelRepo, list[State]]:
    revisions = Revisions(bed.options.kernel or Path())
    repo = KernelRepo(bed.builder.store, borrow=revisions.objects)
    ends = revisions.commit(old), revisions.commit(new or "HEAD")
    return repo, states_of_commits(revisions, *ends)


def _progress(row: Ruling, states: int) -> str:
    words = " ".join(judged.verdict.outcome.value for judged in row.judged)
    return f"  {row.state.name}/{states - 1} {words} ({row.build_s + row.run_s:.1f} s)"
