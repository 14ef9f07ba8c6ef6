# SPDX-License-Identifier: MIT
"""`rig dump`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from rig import live
from rig.cli.guest import guest, guest_options, reopened, running, running_option
from rig.errors import usage
from rig.machine import dump
from rig.testbed import TestBed


@click.command("dump")
@running_option
@guest_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(*, where: str | None, file: Path, stage: str, direct: bool, **arguments: Any) -> None:
    """Write a guest's memory and registers to FILE, as a vmcore.

    An ELF core, with holes where the memory is empty. Prints the command that opens it in drgn,
    with the symbols of this kernel and its panthor.
    """
    path = file.absolute()
    if path.exists():
        raise usage(f"{file} exists", "give another name")
    if where is not None:
        folder = running(where)
        with live.monitor(folder) as qmp:
            dump.write(qmp, path)
        bed = reopened(folder)
    else:
        with guest(stage, direct, arguments) as session:
            dump.write(session.vm.qmp, path)
            bed = session.bed
    click.echo(_opener(path, bed))


def _opener(core: Path, bed: TestBed) -> str:
    symbols = (bed.image / "vmlinux", bed.modules / "panthor.ko")
    words = [word for file in symbols for word in ("-s", str(file))]
    return shlex.join(["drgn", "-c", str(core), *words])
