# SPDX-License-Identifier: MIT
"""`rig matrix`."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from rig import catalogue, doctor
from rig.catalogue import Entry
from rig.cli import completion
from rig.errors import usage
from rig.gpu.rows import gpu_row
from rig.matrix import BASE, Axes, Cell, Found, cells, job_of, judge
from rig.options import SERIES, Options
from rig.remote import Job, Origin, stop
from rig.runner import default_jobs, new_run_dir
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.verdict import Outcome, exit_code

_PATH = click.Path(path_type=Path)
_MARK = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.NOT_APPLICABLE: "n/a",
         Outcome.ERROR: "errors"}  # fmt: skip


@click.command("matrix")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO|FAMILY]...",
                shell_complete=completion.scenarios)  # fmt: skip
@click.option(
    "--contract",
    "contracts",
    multiple=True,
    metavar="NAME",
    default=("heap-name",),
    help="A series of the rig, or base: no patch; repeatable. Default: heap-name.",
)
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    default=("g610",),
    metavar="NAME",
    help="Row of the GPU table; repeatable. Default: g610.",
)
@click.option(
    "--flavour",
    "flavours",
    multiple=True,
    default=("direct", "secure"),
    type=click.Choice(["direct", "secure"]),
    help="How guests boot; repeatable. Default: both ways.",
)
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    type=_PATH,
    metavar="TREE",
    help="Kernel tree; read, never written; repeatable. Default: Linux 7.3.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Independent runs of each combination.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Guests at a time, one a local worker. Default: what cores and memory bear.",
)
@click.option(
    "--scheduler",
    metavar="URL",
    help="A dask.distributed scheduler, as tcp://127.0.0.1:8786. Default: none.",
)
@click.option(
    "--listen",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where workers fetch artifacts from.",
)
@click.option("--cold", is_flag=True, help="Boot every guest instead of restoring snapshots.")
@click.option(
    "--json",
    "json_file",
    type=_PATH,
    help="Write the verdicts for other programs. Default: only into the run's folder.",
)
def command(
    *,
    scenarios: tuple[str, ...],
    contracts: tuple[str, ...],
    gpus: tuple[str, ...],
    flavours: tuple[str, ...],
    kernels: tuple[Path, ...],
    seeds: int,
    workers: int | None,
    scheduler: str | None,
    listen: str,
    cold: bool,
    json_file: Path | None,
) -> int:
    """Run scenarios on every combination of contracts, GPUs, flavours, kernels and seeds.

    Each option may be given several times. Everything is built here; workers, local ones or
    those of --scheduler (dask.distributed, the extra `cluster`), get it by content. A job
    whose worker was lost is given to another. Exit code as of `rig run`.
    """
    chosen = catalogue.select(scenarios, catalogue.entries())
    for name in contracts:
        if name != BASE and not (SERIES / name).is_dir():
            known = sorted(path.name for path in SERIES.iterdir() if path.is_dir())
            raise usage(f"no contract {name!r}", f"one of: {BASE}, {', '.join(known)}")
    for name in gpus:
        gpu_row(name)
    axes = Axes(contracts, gpus, flavours, [path.absolute() for path in kernels] or [None], seeds)
    started, ui, out = time.monotonic(), Reporter(), output()
    doctor.ensure(ui)
    first = TestBed(Options(cold=cold), ui)
    run_dir = new_run_dir(first.builder.store, "matrix")
    with Origin(first.builder.store, listen) as origin, _executor(scheduler, workers) as executor:
        jobs = _jobs(first, cells(axes), chosen, origin.url)
        found = judge(jobs, executor, run_dir, lambda one: ui.say(_line(one)))
    order = {cell.name: number for number, cell in enumerate(cells(axes))}
    found.sort(key=lambda one: order[one.cell.name])
    _print(out, found)
    _write(run_dir / "cells.json", found)
    if json_file is not None:
        _write(json_file, found)
    out.print(f"{len(found)} combinations in {time.monotonic() - started:.1f} s")
    out.print(f"logs: {run_dir}", soft_wrap=True)
    return exit_code([verdict for one in found for verdict in one.verdicts])


def _jobs(
    first: TestBed, wanted: Sequence[Cell], chosen: Sequence[Entry], origin: str
) -> Iterator[tuple[Cell, Job]]:
    for cell in wanted:
        bed = TestBed(cell.options(first.options), first.ui, first.builder.store)
        if (job := job_of(cell, bed, chosen, origin)) is not None:
            yield cell, job


@contextmanager
def _executor(scheduler: str | None, workers: int | None) -> Iterator[Executor]:
    """Threads of ours, each with one process at a time, or an engine that is there already."""
    if scheduler is None:
        with ThreadPoolExecutor(workers or default_jobs()) as pool:
            try:
                yield pool
            finally:  # after Ctrl-C jobs may be left
                pool.shutdown(wait=False, cancel_futures=True)
                stop()
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and takes a second
    except ImportError as exc:
        raise usage(
            "--scheduler needs dask.distributed", "pip install 'panthor-rig[cluster]'"
        ) from exc
    try:
        client = Client(scheduler, timeout=10)
    except OSError as exc:
        raise usage(f"no scheduler answers at {scheduler}", "`dask scheduler` starts one") from exc
    with client, client.get_executor(retries=3) as executor:
        yield executor


def _line(one: Found) -> str:
    counts: dict[str, int] = defaultdict(int)
    for verdict in one.verdicts:
        counts[_MARK[verdict.outcome]] += 1
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    again = f", given {one.attempts} times" if one.attempts > 1 else ""
    return f"  {one.cell.name}: {told} ({one.seconds:.1f} s on {one.worker or 'no worker'}{again})"


def _print(console: Console, found: Sequence[Found]) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for column in ("kernel", "contract", "gpu", "flavour", "seed"):
        table.add_column(column)
    for column in _MARK.values():
        table.add_column(column, justify="right")
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in found:
        cell, outcomes = one.cell, [verdict.outcome for verdict in one.verdicts]
        bad = Outcome.FAIL in outcomes or Outcome.ERROR in outcomes
        table.add_row(
            cell.kernel.name if cell.kernel else "Linux 7.3", cell.contract, cell.gpu, cell.flavour,
            str(cell.seed), *(str(outcomes.count(outcome) or "") for outcome in _MARK),
            style="bold red" if bad else None,
        )  # fmt: skip
        for verdict in one.verdicts:
            if verdict.outcome in (Outcome.FAIL, Outcome.ERROR) and verdict.failure is not None:
                told = f"{verdict.scenario}: {verdict.failure.label}: {verdict.sentence}"
                reasons[told].append(cell.name)
    console.print(table)
    for told, where in reasons.items():
        console.print(f"{told}\n    in {', '.join(where)}", markup=False, soft_wrap=True)


def _write(path: Path, found: Sequence[Found]) -> None:
    document: list[dict[str, Any]] = [
        {
            "cell": one.cell.name,
            "worker": one.worker,
            "attempts": one.attempts,
            "verdicts": [
                {
                    "scenario": verdict.scenario,
                    "outcome": verdict.outcome.value,
                    "failure": verdict.failure.label if verdict.failure else None,
                    "sentence": verdict.sentence,
                    "run_dir": str(verdict.run_dir) if verdict.run_dir else None,
                }
                for verdict in one.verdicts
            ],
        }
        for one in found
    ]
    path.write_text(json.dumps(document, indent=1) + "\n")
