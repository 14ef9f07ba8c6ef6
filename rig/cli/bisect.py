# SPDX-License-Identifier: MIT
"""`rig bisect`."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rig import catalogue, doctor
from rig.bisect import Bisection, Bisector, GitHistory, History, SeriesHistory
from rig.catalogue import Entry
from rig.cli.options import machine_options, to_options
from rig.errors import FailureClass, usage
from rig.kernel.patches import load_series
from rig.kernel.repo import KernelRepo, require_kernel
from rig.kernel.revisions import Revisions
from rig.runner import new_run_dir
from rig.series import states_of
from rig.states import Referee
from rig.store import Store, key_of
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.signature import DEFINITION

_PATH = click.Path(path_type=Path)


@click.command("bisect")
@click.argument("good")
@click.argument("bad")
@click.option("--scenario", required=True, metavar="ID", help="What GOOD passes and BAD fails.")
@machine_options
@click.option(
    "--series",
    type=_PATH,
    metavar="DIR|MBOX",
    help="GOOD and BAD are its patches. Default: they are commits.",
)
@click.option(
    "--prereq",
    type=_PATH,
    multiple=True,
    metavar="DIR|MBOX",
    help="Patches below --series, in order; repeatable.",
)
@click.option(
    "--fixup",
    type=_PATH,
    metavar="DIR|MBOX",
    help="Patches on top of each commit, such as a build fix. Default: none.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs a verdict rests on, none of another search; twice as many when they disagree.",
)
@click.option("--again", is_flag=True, help="Boot guests even where the verdict is known.")
def command(
    *,
    good: str,
    bad: str,
    scenario: str,
    series: Path | None,
    prereq: tuple[Path, ...],
    fixup: Path | None,
    repeat: int,
    again: bool,
    **arguments: Any,
) -> int:
    """Find the first bad state between GOOD and BAD.

    They are revisions of --kernel (default: the current folder) or, with --series, numbers
    of its patches; 0 is the tree below it. Both are judged first. A state that fails with
    another signature than BAD's, or cannot be judged, is skipped. The same command goes
    on after Ctrl-C. Exit code: 0 found, 125 only narrowed down, 128 and above: the rig
    itself failed.
    """
    entry = _one(scenario)
    if fixup is not None if series is not None else bool(prereq):
        raise click.UsageError("--prereq goes with --series, --fixup goes without")
    if series is None:
        arguments["kernel"] = arguments["kernel"] or Path()
        require_kernel(arguments["kernel"])
    started = time.monotonic()
    ui = Reporter()
    bed = TestBed(to_options(arguments, prereq), ui)
    search = _of_series(bed, series, good, bad) if series else _of_git(bed, fixup, good, bad)
    doctor.ensure(ui)
    bed.build_machine()
    run_dir = new_run_dir(bed.builder.store, "bisect")
    mark = _mark(bed.builder.store)
    referee = Referee(bed, run_dir, repo=search.repo, since=_since(mark, repeat, again))
    bisector = Bisector(search.history, referee, entry, click.echo, repeat)
    found = bisector.search(search.good, search.bad)
    mark.unlink(missing_ok=True)
    _print(found, scenario, series, bed)
    click.echo(f"{len(found.decisions)} states judged in {time.monotonic() - started:.1f} s")
    return FailureClass.NOT_APPLICABLE.exit_code if found.suspects else 0


@dataclass(frozen=True)
class _Search:
    """Where to search, and the repository that can read it."""

    history: History
    repo: KernelRepo
    good: str
    bad: str


def _mark(store: Store) -> Path:
    """The file that is there while a search of this command line is not at its end."""
    key = key_of({"argv": "\0".join(sys.argv[1:]), "folder": str(Path.cwd())})
    return store.work("bisect") / key


def _since(mark: Path, repeat: int, again: bool) -> float:
    """From when on a kept verdict counts, s since the epoch.

    `--repeat` asks for runs, not for what other searches found; those of the same
    command that was stopped before its end are its own.
    """
    if repeat == 1 and not again:
        return 0.0
    if again or not mark.exists():
        mark.write_text(f"{time.time()}\n")
    return float(mark.read_text())


def _one(scenario: str) -> Entry:
    chosen = catalogue.select([scenario], catalogue.entries())
    if len(chosen) != 1:
        raise usage(f"{scenario} is a family", f"one of: {', '.join(e.id for e in chosen)}")
    return chosen[0]


def _of_series(bed: TestBed, series: Path, good: str, bad: str) -> _Search:
    if not (good.isdecimal() and bad.isdecimal() and int(good) < int(bad)):
        raise usage("GOOD and BAD are patch numbers, GOOD the lower one", "0 is the tree below")
    patches = load_series(series)
    history = SeriesHistory(states_of(bed.repo, bed.tree, patches, series.stem))
    return _Search(history, bed.repo, str(int(good)), str(int(bad)))


def _of_git(bed: TestBed, fixup: Path | None, good: str, bad: str) -> _Search:
    revisions = Revisions(bed.options.kernel or Path())
    old, new = revisions.commit(good), revisions.commit(bad)
    if old == new or not revisions.is_ancestor(old, new):
        raise usage(f"{good} is no ancestor of {bad}", "`git merge-base GOOD BAD` names one")
    repo = KernelRepo(bed.builder.store, borrow=revisions.objects)
    patches = load_series(fixup) if fixup else []
    return _Search(GitHistory(revisions, repo, patches), repo, old, new)


def _print(found: Bisection, scenario: str, series: Path | None, bed: TestBed) -> None:
    state, verdict = found.first_bad.state, found.first_bad.telling
    kind = "patch" if series is not None else "commit"
    click.echo("")
    if found.suspects:
        click.echo(f"narrowed down: the first bad {kind} is one of")
        for one in (*found.suspects, state):
            click.echo(f"  {one.name} {one.title}")
    else:
        click.echo(f"first bad {kind}: {state.name} {state.title}")
    label = verdict.failure.label if verdict.failure else verdict.outcome.value
    click.echo(f"  {scenario}: {label}: {verdict.sentence}")
    for note in verdict.notes:
        click.echo(f"  {note}")
    if verdict.run_dir is not None:
        click.echo(f"  logs: {verdict.run_dir}")
    click.echo(f"  {found.confidence()}")
    click.echo(f"  {DEFINITION} [{found.signature.id}]")
    click.echo("see it:")
    for line in _commands(state.name, scenario, series, bed):
        click.echo(f"  {line}")


def _commands(name: str, scenario: str, series: Path | None, bed: TestBed) -> list[str]:
    """What the user types next: look at the change, run the scenario on it."""
    kernel = bed.options.kernel
    if series is not None:
        patch = load_series(series)[int(name) - 1]
        file = series / patch.source if series.is_dir() else series
        on = f" --kernel {shlex.quote(str(kernel))}" if kernel else ""
        below = "".join(f" --prereq {shlex.quote(str(p))}" for p in bed.options.patch_paths())
        return [
            f"less {shlex.quote(str(file))}",
            f"rig series {shlex.quote(str(series))} {scenario}{on}{below}",
        ]
    tree = shlex.quote(str(kernel))
    return [
        f"git -C {tree} show {name}",
        f"git -C {tree} worktree add /tmp/{name[:12]} {name} && "
        f"rig run --kernel /tmp/{name[:12]} {scenario}",
    ]
