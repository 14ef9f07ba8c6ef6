# SPDX-License-Identifier: MIT
"""`rig shell`."""

from __future__ import annotations

from typing import Any

import click

from rig.cli.guest import guest, guest_options
from rig.guest.attach import attach


@click.command("shell")
@guest_options
def command(stage: str, direct: bool, **arguments: Any) -> None:
    """The serial console of a guest at a stage. Ctrl-] leaves; the guest ends with it."""
    with guest(stage, direct, arguments) as session:
        click.echo("Ctrl-] leaves", err=True)
        attach(session.vm.console.stream)
