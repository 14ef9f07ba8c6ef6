# SPDX-License-Identifier: MIT
"""`rig ssh`."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import click

from rig.cli.guest import guest, guest_options


@click.command("ssh")
@guest_options
@click.argument("remote", nargs=-1, metavar="[COMMAND]...")
def command(remote: tuple[str, ...], stage: str, direct: bool, **arguments: Any) -> int:
    """OpenSSH into a guest at a stage; with a COMMAND, run it and end with its status."""
    with guest(stage, direct, arguments) as session:
        line = session.ssh_target.command_line()
        click.echo(line, err=True)
        return subprocess.run([*shlex.split(line), *remote], check=False).returncode
