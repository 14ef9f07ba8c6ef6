# SPDX-License-Identifier: MIT
"""`rig shell`."""

from __future__ import annotations

from typing import Any

import click

from rig.cli.guest import guest, guest_options, running, running_option
from rig.cli.terminal import console, keep


@click.command("shell")
@running_option
@guest_options
def command(where: str | None, stage: str, direct: bool, **arguments: Any) -> None:
    """The serial console of a guest at a stage. Ctrl-] leaves it.

    The guest stays until you end it: come back to its console, or go in from another
    terminal by the commands that are printed. Kernel messages appear as they come.
    """
    if where is not None:
        click.echo("Ctrl-] leaves", err=True)
        console(running(where))
        return
    with guest(stage, direct, arguments) as session:
        keep(session, "You left the console", attached=True)
