# SPDX-License-Identifier: MIT
"""`rig teeth`."""

from __future__ import annotations

import time

import click

from rig import catalogue, doctor, teeth
from rig.options import Options
from rig.report.keep import keep_teeth
from rig.report.table import print_bites
from rig.runner import new_run_dir
from rig.store import Store
from rig.ui import Reporter, output


@click.command("teeth")
@click.argument("mutants", nargs=-1, metavar="[MUTANT]...")
@click.option("--list", "list_only", is_flag=True, help="List the mutants and stop.")
@click.option("--debug", is_flag=True, help="Those of the debug kernel instead of all others.")
@click.option("--cold", is_flag=True, help="Boot every guest instead of restoring snapshots.")
def command(mutants: tuple[str, ...], list_only: bool, debug: bool, cold: bool) -> int:
    """Run scenarios on deliberately broken drivers and devices.

    Every scenario that a mutant's row names as its killer must FAIL on it, every
    survivor must PASS, and every scenario of the catalogue must have a killer.
    """
    table = teeth.load()
    chosen = teeth.choose(mutants, table, debug=debug)
    if list_only:
        for mutant in chosen:
            click.echo(f"{mutant.name:24} {mutant.finding}")
        return 0
    entries = catalogue.entries()
    doctor.ensure(Reporter())
    started = time.monotonic()
    out = output()
    run_dir = new_run_dir(Store(), "teeth")
    bites = []
    for mutant in chosen:
        found = teeth.bite(mutant, Options(cold=cold), entries, run_dir)
        print_bites(out, found)
        bites += found
    keep_teeth(run_dir, bites, time.monotonic() - started)
    unproved = [] if mutants else teeth.toothless(table, entries)
    for name in unproved:
        out.print(f"{name}: no mutant makes it fail", style="bold red")
    wrong = [one for one in bites if not one.good]
    out.print(f"{len(bites) - len(wrong)} passed, {len(wrong) + len(unproved)} failed")
    out.print(f"logs: {run_dir}", soft_wrap=True)
    return 1 if wrong or unproved or not bites else 0
