# SPDX-License-Identifier: MIT
"""`rig bench`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from rig import doctor
from rig.bench.boot import boot_figures
from rig.bench.commands import SCENARIO, build_figures, command_figures
from rig.bench.figures import Figure
from rig.bench.guest import rate_figures
from rig.bench.restore import restore_figures
from rig.options import Options
from rig.runner import new_run_dir
from rig.testbed import TestBed
from rig.ui import Reporter, output

KINDS = ("boot", "restore", "rates", "verdict", "table", "builds")
_FEW = 3
"""Samples of what is slow or steady."""


@click.command("bench")
@click.argument("kinds", nargs=-1, type=click.Choice(KINDS))
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=7,
    show_default=True,
    metavar="N",
    help="Samples of each boot.",
)
@click.option("--no-budget", is_flag=True, help="Report only: no ratio fails the command.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write the figures to as JSON. Default: none.",
)
def command(kinds: tuple[str, ...], rounds: int, no_budget: bool, json_file: Path | None) -> int:
    """Measure what the rig costs (docs/bench.md); without a KIND all of it.

    Exit code 1 when a boot takes more than 1.15 times as long as under bare QEMU, or a
    restore more than half of a boot.
    """
    ui, out = Reporter(), output()
    doctor.ensure(ui)
    bed = TestBed(Options(), ui)
    bed.build_all()
    run_dir = new_run_dir(bed.builder.store, "bench")
    load = [os.getloadavg()[0]]
    figures: list[Figure] = []
    for kind in kinds or KINDS:
        figures += _measure(kind, bed, run_dir, rounds)
    load.append(os.getloadavg()[0])
    _print(out, figures, load)
    if json_file is not None:
        _write(json_file, figures, load)
    over = [figure for figure in figures if figure.over and not no_budget]
    for figure in over:
        out.print(f"{figure.name} is {figure.value:.2f}, over its budget of {figure.budget}")
    return 1 if over else 0


def _measure(kind: str, bed: TestBed, run_dir: Path, rounds: int) -> list[Figure]:
    few = min(rounds, _FEW)
    if kind == "boot":
        return [
            *boot_figures(bed, run_dir, "direct", rounds, bed.ui.say),
            *boot_figures(bed, run_dir, "secure", rounds, bed.ui.say),
        ]
    if kind == "restore":
        return [
            *restore_figures(bed, run_dir, "direct", rounds, bed.ui.say),
            *restore_figures(bed, run_dir, "secure", rounds, bed.ui.say),
        ]
    if kind == "rates":
        return rate_figures(bed, run_dir, rounds)
    if kind == "verdict":
        return [command_figures(f"verdict of {SCENARIO}", [SCENARIO], run_dir, few)]
    if kind == "table":
        return [command_figures("table of all scenarios", [], run_dir, 1)]
    return build_figures(bed.builder.store)


def _print(console: Console, figures: list[Figure], load: list[float]) -> None:
    title = f"load before {load[0]:.1f}, after {load[1]:.1f}, {os.cpu_count()} cores"
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in ("figure", "value", "unit", "samples", "min..max", "budget"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for figure in figures:
        budget = "" if figure.budget is None else f"≤ {figure.budget}"
        table.add_row(
            figure.name, _number(figure.value), figure.unit, str(len(figure.samples)),
            f"{_number(min(figure.samples))}..{_number(max(figure.samples))}", budget,
            style="bold red" if figure.over else None,
        )  # fmt: skip
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _write(path: Path, figures: list[Figure], load: list[float]) -> None:
    document: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load": {"before": load[0], "after": load[1]},
        "figures": [figure.as_json() for figure in figures],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
