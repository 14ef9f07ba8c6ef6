# SPDX-License-Identifier: MIT
"""`rig report`."""

from __future__ import annotations

from pathlib import Path

import click

from rig.bundle import MATRIX, RUN
from rig.cache import LIVE
from rig.errors import usage
from rig.hold import unused
from rig.report import html, mail
from rig.report import trace as chrome
from rig.store import default_root


@click.command("report")
@click.argument("run", required=False, metavar="[RUN_DIR]", type=click.Path(path_type=Path))
@click.option("--mail", "as_mail", is_flag=True, help="Print a plain summary for a mail instead.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the time lines to FILE as Chrome-trace JSON (Perfetto) instead. Default: the page.",
)
def command(run: Path | None, as_mail: bool, trace: Path | None) -> None:
    """Write a run as one HTML page and print its path; without RUN_DIR: the newest run.

    The page needs no network. It shows the verdicts with their reasons, and for each guest
    one time line of consoles, device events and the rig's own steps, with a filter.
    """
    folder = run or newest(default_root() / "runs")
    if as_mail:
        click.echo(mail.mail(folder), nl=False)
    if trace is not None:
        chrome.write(folder, trace)
        click.echo(trace)
    if not as_mail and trace is None:
        click.echo(html.write(folder))


def newest(runs: Path) -> Path:
    """The newest folder that a report can be made of, and that no rig is still at work in.

    Raises `RigError` (USAGE) when there is none.
    """
    for folder in sorted(runs.glob("*"), reverse=True):
        if (folder / MATRIX).exists() or (folder / RUN).exists():
            with unused(folder / LIVE) as over:
                if over:
                    return folder
    raise usage(f"no run in {runs}", "`rig run` makes one")
