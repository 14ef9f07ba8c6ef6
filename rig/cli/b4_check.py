# SPDX-License-Identifier: MIT
"""`rig b4-check`."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rig import b4, catalogue
from rig.cli import completion
from rig.cli.options import machine_options, to_options
from rig.kernel.repo import KernelRepo, require_kernel
from rig.kernel.revisions import Revisions
from rig.runner import new_run_dir
from rig.series import matrix
from rig.states import Referee, Ruling
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict.verdict import exit_code


@click.command("b4-check")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO|FAMILY]...",
                shell_complete=completion.scenarios)  # fmt: skip
@machine_options
def command(scenarios: tuple[str, ...], **arguments: Any) -> int:
    """Judge the patch on stdin in b4's protocol for external checks.

    In the kernel tree:

    \b
        git config b4.prep-perpatch-check-cmd "rig b4-check probe-defer"
        b4 prep --check

    Prints a line for each failure that the tree before the patch did not have, for each
    new compiler warning, and for what could not be judged; nothing when all is well.
    `am-perpatch-check-cmd` works too: such a patch is judged on top of HEAD and the patches
    of its series that were checked before it.
    """
    chosen = catalogue.select(scenarios, catalogue.entries())
    arguments["kernel"] = arguments["kernel"] or Path()
    require_kernel(arguments["kernel"])
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        bed = TestBed(to_options(arguments), Reporter(Console(file=nowhere)))
        mail = b4.receive(sys.stdin.buffer.read(), bed.builder.store.work("b4"))
        revisions = Revisions(bed.options.kernel or Path())
        repo = KernelRepo(bed.builder.store, borrow=revisions.objects)
        before, after = b4.states(mail, revisions, repo)
        bed.build_machine()
        referee = Referee(bed, new_run_dir(bed.builder.store, "b4-check"), repo=repo)
        rows: list[Ruling] = matrix(referee, [before, after], chosen)
    for line in b4.lines(rows):
        click.echo(line)
    return exit_code([judged.verdict for judged in rows[1].judged])
