# SPDX-License-Identifier: MIT
"""`rig report`."""

from __future__ import annotations

from pathlib import Path

import click

from rig.bundle import MATRIX, RUN
from rig.errors import usage
from rig.report import html
from rig.store import default_root


@click.command("report")
@click.argument("run", required=False, metavar="[RUN_DIR]", type=click.Path(path_type=Path))
def command(run: Path | None) -> None:
    """Write a run as one HTML page and print its path; without RUN_DIR: the newest run.

    The page needs no network. It shows the verdicts with their reasons, and for each guest
    one time line of consoles, device events and the rig's own steps, with a filter.
    """
    click.echo(html.write(run or newest(default_root() / "runs")))


def newest(runs: Path) -> Path:
    """The newest folder that a report can be made of. Raises `RigError` (USAGE)."""
    for folder in sorted(runs.glob("*"), reverse=True):
        if (folder / MATRIX).exists() or (folder / RUN).exists():
            return folder
    raise usage(f"no run in {runs}", "`rig run` makes one")
