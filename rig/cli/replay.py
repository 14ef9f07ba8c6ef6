# SPDX-License-Identifier: MIT
"""`rig replay`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from rig import bundle, catalogue, doctor, tested
from rig.bundle import Guest
from rig.cli.enter import config_of, find
from rig.errors import FailureClass, infra, usage
from rig.machine import recording
from rig.replay import Compared, replayed
from rig.report import table
from rig.runner import new_run_dir, run
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Outcome, Verdict


@click.command("replay")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
def command(*, folder: Path) -> int:
    """Let a guest live its life again, instruction by instruction, and compare.

    FOLDER is a guest's folder of `rig run --record`, or a run with one failed scenario. A run
    without a recording is first made again with one: with one CPU, by counted instructions.
    Every event of the GPU and the firewall and every byte of the consoles must come again, at
    the same virtual time. Exit code 1 when one does not, or when a failure does not happen
    again while it is recorded.
    """
    guest_dir, guest, record = find(folder)
    ui = Reporter()
    bed = tested.reopen(record.inputs, ui)
    doctor.ensure(ui)
    if not record.inputs.record:
        guest_dir, same = _recorded(bed, guest, ui)
        if not same:
            return 1
        guest = bundle.load(guest_dir / bundle.GUEST, Guest)
    elif recording.read(guest_dir) is None:
        raise usage(
            f"the recording in {guest_dir} was cut off",
            "QEMU or the rig was killed: `rig run --record` again",
        )
    folder = new_run_dir(bed.builder.store, "replay") / guest_dir.name
    found = replayed(bed, config_of(guest, record), guest_dir, folder)
    return _tell(guest_dir, folder, found)


def _recorded(bed: TestBed, guest: Guest, ui: Reporter) -> tuple[Path, bool]:
    """The scenario once more with a recording: its guest's folder, and whether it ended alike."""
    ui.say(f"{guest.scenario} was not recorded: it runs again, with one CPU and a recording")
    bed.options = replace(bed.options, record=True)
    chosen = catalogue.select([guest.scenario], catalogue.entries())
    result = run(bed, chosen, new_run_dir(bed.builder.store, "record"), jobs=1)
    (verdict,) = result.verdicts
    table.print_verdicts(output(), bed.tree.label, result.verdicts)
    if verdict.run_dir is None or recording.read(verdict.run_dir) is None:
        raise infra("the guest left no recording", "see its logs", result.run_dir)
    failed = guest.outcome == "FAIL"
    then = Verdict(guest.scenario, Outcome(guest.outcome), guest.sentence,
                   FailureClass[guest.failure] if guest.failure else None)  # fmt: skip
    same = signature_of(then) == signature_of(verdict) if failed else not verdict.exit_code
    if not same:
        output().print(f"then it was {guest.outcome}: {guest.sentence}", soft_wrap=True)
        output().print("it did not end like that again: there is nothing to replay")
    return verdict.run_dir, same


def _tell(then: Path, now: Path, found: Sequence[Compared]) -> int:
    out = output()
    for log in found:
        word = log.difference or "the same"
        out.print(f"{log.name}: {log.count}, {word}", markup=False, soft_wrap=True)
    out.print(f"recorded: {then}", soft_wrap=True)
    out.print(f"replayed: {now}", soft_wrap=True)
    return 1 if any(log.difference for log in found) else 0
