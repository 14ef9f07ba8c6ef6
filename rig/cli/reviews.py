# SPDX-License-Identifier: MIT
"""`rig reviews`."""

from __future__ import annotations

from pathlib import Path

import click

from rig import reviews
from rig.report.table import print_reviews
from rig.store import default_root
from rig.ui import output


@click.command("reviews")
@click.argument("runs", nargs=-1, metavar="[RUN_DIR]...", type=click.Path(path_type=Path))
@click.option("--contract", default="heap-name", show_default=True, metavar="NAME",
              help="Contract or series on which the scenarios must have passed, but for "
              "findings that only another one can show.")  # fmt: skip
def command(runs: tuple[Path, ...], contract: str) -> int:
    """Which findings of the published series' reviews are shown by runs, and how.

    A finding is shown by a scenario that passed on the contract and failed on a mutant that
    has the defect. Both are read from folders of `rig run` and `rig teeth`; without RUN_DIR:
    from all that are kept. Results of another version of the rig do not count. Exit code 0
    when none is missing: each is shown, or the table says why no run can show it.
    """
    folders = list(runs) or reviews.newest(default_root() / "runs")
    found = reviews.judge(reviews.gather(folders), contract)
    out = output()
    print_reviews(out, found)
    wrong = [one for one in found if not one.good]
    shown = [one for one in found if one.proofs]
    impossible = len(found) - len(shown) - sum(not one.proofs for one in wrong)
    out.print(f"{len(shown)} shown, {impossible} impossible, {len(wrong)} missing or wrong")
    return 1 if wrong else 0
