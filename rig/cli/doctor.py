# SPDX-License-Identifier: MIT
"""`rig doctor`."""

from __future__ import annotations

import click

from rig import doctor
from rig.errors import FailureClass
from rig.ui import Reporter


@click.command("doctor")
@click.option(
    "--for",
    "names",
    multiple=True,
    type=click.Choice(list(doctor.NEEDS)),
    help='Count (and install) what this needs too; repeatable. "run" always counts.',
)
@click.option("--install", is_flag=True, help="Install what is missing (as root).")
@click.option("--quiet", is_flag=True, help="Say only what is missing.")  # fmt: skip
def command(names: tuple[str, ...], install: bool, quiet: bool) -> int:
    """Check this machine: which command needs what, and what of it is there.

    Exit code 0: everything is there that `make run` and the commands of --for need; 128:
    something of it is missing.
    """
    if install:
        doctor.ensure(Reporter(), *names)
    lacking = doctor.missing(doctor.needed_by(*dict.fromkeys(("run", *names))))
    for name, need in doctor.NEEDS.items():
        counts = name == "run" or name in names
        if not quiet:
            click.echo(f"{need.command}:")
        for requirement in need.requirements:
            _tell(requirement, counts, quiet)
    if lacking:
        click.echo(f"\nrun: {doctor.apt_command(lacking)}")
        return FailureClass.INFRA.exit_code
    return 0


def _tell(requirement: doctor.Requirement, counts: bool, quiet: bool) -> None:
    met = requirement.met()
    if quiet and (met or not counts):
        return
    state = "ok" if met else "MISSING" if counts else "not here"
    click.echo(f"  {state:8} {requirement.package:24} {requirement.why}")
