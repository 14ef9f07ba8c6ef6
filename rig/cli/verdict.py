# SPDX-License-Identifier: MIT
"""`rig verdict`."""

from __future__ import annotations

from typing import Any

import click

from rig import catalogue, doctor
from rig.cli import completion
from rig.cli.options import bed_options, begin_of, to_options
from rig.errors import FailureClass
from rig.runner import new_run_dir
from rig.states import Referee, State
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Verdict, exit_code


@click.command("verdict")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO|FAMILY...",
                shell_complete=completion.scenarios)  # fmt: skip
@bed_options
@click.option("--again", is_flag=True, help="Boot guests even where the verdict is known.")
@click.option(
    "--signature",
    metavar="ID",
    help="Count only a failure with this signature, another one is no verdict (125). Default: any.",
)
def command(
    scenarios: tuple[str, ...], again: bool, signature: str | None, **arguments: Any
) -> int:
    """One line a scenario for programs, and the exit code for `git bisect run`.

    A line is: outcome, scenario, failure class, signature, sentence, notes; between them tabs,
    "-" where there is none. Notes (INTEGRATION, UNCHECKED, KNOWN_ISSUE) change no exit code.
    Exit code: 0 pass, 1 fail, 125 cannot judge this commit, 128 and above: the rig itself
    failed, which stops `git bisect run`. From inside your tree:

        git bisect run rig verdict --kernel . probe-defer/heap-late
    """
    chosen = catalogue.select(scenarios, catalogue.entries())
    ui = Reporter()
    bed = TestBed(to_options(arguments), ui)
    doctor.ensure(ui)
    bed.build_machine()
    referee = Referee(bed, new_run_dir(bed.builder.store, "verdict"), since=begin_of(again))
    row = referee.rule(State("tree", bed.tree.label, bed.tree), chosen)
    for judged in row.judged:
        click.echo(line_of(judged.verdict))
    verdicts = [judged.verdict for judged in row.judged]
    code = exit_code(verdicts)
    found = {known.id for v in verdicts if (known := signature_of(v)) is not None}
    if code == 1 and signature is not None and signature not in found:
        return FailureClass.NOT_APPLICABLE.exit_code
    return code


def line_of(verdict: Verdict) -> str:
    """One verdict for programs."""
    signature = signature_of(verdict)
    fields = (
        verdict.outcome.value,
        verdict.scenario,
        verdict.failure.label if verdict.failure else "-",
        signature.id if signature else "-",
        " ".join(verdict.sentence.split()) or "-",
        " | ".join(" ".join(str(note).split()) for note in verdict.notes) or "-",
    )
    return "\t".join(fields)
