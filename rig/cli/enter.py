# SPDX-License-Identifier: MIT
"""`rig enter`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from rig import bundle, catalogue, doctor, tested
from rig.bundle import GUEST, RUN, Guest, Run
from rig.cli.terminal import failed, keep
from rig.errors import usage
from rig.report import table
from rig.runner import new_run_dir, run
from rig.session import GuestConfig
from rig.snapshots import opened
from rig.stages import PRE_INSMOD, STAGES
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.verdict import exit_code


@click.command("enter")
@click.option("--stage", type=click.Choice(STAGES), default=PRE_INSMOD, show_default=True,
              help="How far to bring the guest.")  # fmt: skip
@click.option("--again", is_flag=True, help="Run the scenario, and stay where it fails.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
def command(*, stage: str, again: bool, folder: Path) -> int:
    """Go back to what a run recorded: the same kernel, module, machine and faults, by content.

    FOLDER is a guest's folder of a run, or a run with one failed scenario. Nothing is built:
    what the store has lost is named, with the command that makes it. Gives the guest's
    console, and the commands for other terminals.
    """
    guest_dir, guest, record = find(folder)
    ui = Reporter()
    bed = tested.reopen(record.inputs, ui)
    doctor.ensure(ui)
    ui.say(f"{bed.tree.label}, panthor {record.inputs.build_id}, for {guest.scenario}")
    ui.say(f"its launch line then: {guest_dir / 'qemu.cmdline'}")
    if again:
        return _again(bed, guest)
    config = config_of(guest, record)
    with opened(bed, new_run_dir(bed.builder.store, "enter"), config, stage) as session:
        ui.say(f"stage {stage}; logs and device events: {session.run_dir}")
        keep(session, "You left the console", attached=True)
    return 0


def config_of(guest: Guest, record: Run) -> GuestConfig:
    """How a guest of a run was different from the default one."""
    return GuestConfig(
        "secure" if guest.flavour == "secure" else "direct",
        {name: n for name, n in guest.faults.items() if name not in record.inputs.faults},
        smp=guest.smp,
        memory_mib=guest.memory_mib,
        gpu=guest.gpu,
    )


def _again(bed: TestBed, guest: Guest) -> int:
    chosen = catalogue.select([guest.scenario], catalogue.entries())
    look = partial(failed, debugger=False)
    found = run(bed, chosen, new_run_dir(bed.builder.store), on_failure=look)
    table.print_verdicts(output(), bed.tree.label, found.verdicts)
    return exit_code(found.verdicts)


def find(folder: Path) -> tuple[Path, Guest, Run]:
    """The guest that is meant, and its run. Raises `RigError` (USAGE)."""
    folder = folder.absolute()
    if (folder / GUEST).exists():
        return folder, bundle.load(folder / GUEST, Guest), bundle.load(folder.parent / RUN, Run)
    record = bundle.load(folder / RUN, Run)
    bad = [row.folder for row in record.rows if row.outcome in ("FAIL", "ERROR") and row.folder]
    if len(bad) != 1:
        guests = sorted(path.parent.name for path in folder.glob(f"*/{GUEST}"))
        raise usage(
            f"{len(bad)} scenarios failed in {folder}: which guest?",
            f"`rig enter` one of these folders in it: {', '.join(guests)}",
        )
    return folder / bad[0], bundle.load(folder / bad[0] / GUEST, Guest), record
