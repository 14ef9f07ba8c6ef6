# SPDX-License-Identifier: MIT
"""`rig build`."""

from __future__ import annotations

from typing import Any

import click

from rig import doctor
from rig.cli.options import bed_options, to_options
from rig.testbed import TestBed
from rig.ui import Reporter

PARTS = ("qemu", "image", "modules", "firmware", "rootfs", "mcu_firmware")


@click.command("build")
@click.argument("parts", nargs=-1, type=click.Choice(PARTS), metavar="[PART]...")
@bed_options
def command(parts: tuple[str, ...], **arguments: Any) -> None:
    """Build artifacts: qemu, image, modules, firmware, rootfs, mcu_firmware (default: all)."""
    ui = Reporter()
    doctor.ensure(ui)
    bed = TestBed(to_options(arguments), ui)
    for part in parts or PARTS:
        click.echo(f"{part:13} {getattr(bed, part)}")
