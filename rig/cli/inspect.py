# SPDX-License-Identifier: MIT
"""`rig inspect`."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from rig import introspect
from rig.cli.guest import guest, guest_options, reopened, running, running_option


@click.command("inspect")
@running_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@guest_options
def command(
    *, where: str | None, as_json: bool, stage: str, direct: bool, **arguments: Any
) -> None:
    """What panthor believes, read out of the guest's memory, beside what the GPU reported.

    Deferred probes, DMA heaps with their references, runtime PM, firmware sections, groups
    with their suspend buffers; then the sections in the MCU's page tables, and where the two
    differ. Nothing runs in the guest: it may hang or have panicked. It stands still for the
    look, about half a second.
    """
    introspect.require()
    from rig.introspect import look, view  # noqa: PLC0415 - drgn is an extra

    if where is not None:
        folder = running(where)
        found = look.of_folder(folder, reopened(folder))
    else:
        with guest(stage, direct, arguments) as session:
            found = look.of_session(session)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        click.echo(view.text(found), nl=False)
