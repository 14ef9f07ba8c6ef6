# SPDX-License-Identifier: MIT
"""`rig run`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from rig import catalogue, doctor
from rig.artifacts import uapi
from rig.cli import completion
from rig.cli.options import bed_options, to_options
from rig.cli.terminal import failed
from rig.flakes import repeated
from rig.report import html, results, table
from rig.report.junit import write_junit
from rig.report.ktap import ktap
from rig.runner import RunResult, new_run_dir, run
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.verdict import exit_code

_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command("run")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO|FAMILY]...",
                shell_complete=completion.scenarios)  # fmt: skip
@bed_options
@click.option("--list", "list_only", is_flag=True, help="List the scenarios and stop.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Guests at a time. Default: one more than cores, as far as memory allows.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default="1",
    metavar="N",
    help="Run everything N times; a scenario whose runs disagree is a FLAKE and fails.",
)
@click.option(
    "--icount",
    is_flag=True,
    help="Count instructions for virtual time: a busy host cannot starve a guest.",
)
@click.option("--record", is_flag=True,
              help="Record guests, booted with one CPU, for `rig replay`.")  # fmt: skip
@click.option("--soak", is_flag=True, help="Repeat ten times as often what scenarios repeat.")
@click.option(
    "--stop-on-failure",
    "stop",
    is_flag=True,
    help="Keep the guest of a failed scenario alive, and say how to go in.",
)
@click.option("--pdb", is_flag=True, help="The same, with Python's debugger on the scenario first.")
@click.option(
    "--junit", type=_FILE, help="File to write the verdicts to as JUnit XML. Default: none."
)
@click.option("--ktap", type=_FILE, help="File to write the verdicts to as KTAP. Default: none.")
@click.option("--json", type=_FILE, help="File to write the verdicts to as JSON. Default: none.")
def command(
    *,
    scenarios: tuple[str, ...],
    list_only: bool,
    jobs: int | None,
    repeat: int,
    stop: bool,
    pdb: bool,
    **arguments: Any,
) -> int:
    """Build what is needed, start guests, run scenarios and print the verdicts.

    A guest is restored from a snapshot, made when there is none; --cold boots it.
    Exit code: 0 all pass, 1 a scenario failed, 125 cannot judge, 128 and above:
    the rig itself failed (docs/exit-codes.md).
    """
    entries = catalogue.entries()
    chosen = catalogue.select(scenarios, entries)
    if list_only:
        for entry in chosen if scenarios else entries:
            note = f"   (only when named: {entry.on_demand})" if entry.on_demand else ""
            click.echo(f"{entry.id}{note}")
        return 0
    files = {kind: arguments.pop(kind) for kind in ("junit", "ktap", "json")}
    started = time.monotonic()
    ui, out = Reporter(), output()
    bed = TestBed(to_options(arguments), ui)
    doctor.ensure(ui)
    with ui.stage("build"):
        bed.build_all()
    if told := uapi.warning(bed.repo, bed.tree):
        ui.say(told)
    bed.require_contract()
    with ui.stage("scenarios"):
        look = partial(failed, debugger=pdb) if stop or pdb else None
        judge = partial(run, bed, chosen, jobs=jobs, on_failure=look)
        result = repeated(bed, chosen, new_run_dir(bed.builder.store), repeat, judge)
    title = f"{bed.tree.label} · contract {bed.contract.contract.name} · {bed.options.gpu}"
    table.print_verdicts(out, title, result.verdicts)
    table.print_timings(out, ui.timings)
    _write(files, title, bed, result)
    out.print(f"{table.summary(result.verdicts)} in {time.monotonic() - started:.1f} s")
    out.print(f"logs: {result.run_dir}", soft_wrap=True)
    out.print(f"report: {html.write(result.run_dir)}", soft_wrap=True)
    return exit_code(result.verdicts)


def _write(files: dict[str, Path | None], title: str, bed: TestBed, result: RunResult) -> None:
    """The files that the user asked for."""
    if (path := files["junit"]) is not None:
        write_junit(path, title, result)
    if (path := files["ktap"]) is not None:
        path.write_text(ktap(result.verdicts))
    if (path := files["json"]) is not None:
        results.write(path, bed, result)
