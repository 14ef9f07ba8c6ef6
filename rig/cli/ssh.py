# SPDX-License-Identifier: MIT
"""`rig ssh`."""

from __future__ import annotations

import shlex
from typing import Any

import click

from rig import live
from rig.cli.guest import guest, guest_options, running, running_option
from rig.cli.terminal import call


@click.command("ssh", context_settings={"allow_interspersed_args": False})
@running_option
@guest_options
@click.argument("remote", nargs=-1, metavar="[COMMAND]...")
def command(
    where: str | None, remote: tuple[str, ...], stage: str, direct: bool, **arguments: Any
) -> int:
    """OpenSSH into a guest at a stage; with a COMMAND, run it and end with its status."""
    if where is not None:
        return _ssh(live.read(running(where)).ssh, remote)
    with guest(stage, direct, arguments, "ssh") as session:
        live.announce(session)
        return _ssh(session.ssh_target.command_line(), remote)


def _ssh(line: str, remote: tuple[str, ...]) -> int:
    click.echo(line, err=True)
    return call([*shlex.split(line), *remote])
