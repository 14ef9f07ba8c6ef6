# SPDX-License-Identifier: MIT
"""`rig doctor`."""

from __future__ import annotations

import click

from rig import doctor
from rig.errors import FailureClass
from rig.ui import Reporter


@click.command("doctor")
@click.option("--install", is_flag=True, help="Install what is missing (as root).")
@click.option("--quiet", is_flag=True, help="Say only what is missing.")
def command(install: bool, quiet: bool) -> int:
    """Check this machine. Exit code 0: everything is there; 128: something is missing."""
    if install:
        doctor.ensure(Reporter())
    lacking = doctor.missing()
    for requirement in doctor.REQUIREMENTS:
        met = requirement not in lacking
        if not met or not quiet:
            click.echo(f"{'ok' if met else 'MISSING':8} {requirement.package:24} {requirement.why}")
    for requirement in () if quiet else doctor.FUZZ:
        state = "ok" if requirement.met() else "not here"
        click.echo(f"{state:8} {requirement.package:24} {requirement.why}")
    if lacking:
        click.echo(f"\nrun: {doctor.apt_command(lacking)}")
        return FailureClass.INFRA.exit_code
    return 0
