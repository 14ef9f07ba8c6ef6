# SPDX-License-Identifier: MIT
"""`rig gdb`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from rig import live
from rig.cli.guest import guest, guest_options, reopened, running, running_option
from rig.cli.terminal import call
from rig.debug import commands
from rig.machine import gdbstub
from rig.scenarios.kit import Scenario
from rig.session import Session
from rig.stages import heap_parameter
from rig.testbed import TestBed


@click.command("gdb")
@running_option
@click.option(
    "-b",
    "--break",
    "breaks",
    multiple=True,
    metavar="LOCATION",
    help="Set a breakpoint; repeatable. It may lie in a module that is not loaded yet.",
)
@click.option("--secure", is_flag=True, help="Symbols of OP-TEE and TF-A too.")
@click.option("--qemu", is_flag=True, help="gdb on the QEMU of a guest (--guest) instead.")
@guest_options
@click.argument("more", nargs=-1, metavar="[-- GDB_ARGUMENT...]")
def command(
    *,
    where: str | None,
    breaks: tuple[str, ...],
    secure: bool,
    qemu: bool,
    stage: str,
    direct: bool,
    more: tuple[str, ...],
    **arguments: Any,
) -> int:
    """gdb on a guest: vmlinux, the modules where they were loaded, the driver's sources.

    The guest stops while gdb is at its prompt. With --stage pre-insmod it stops just
    before panthor is loaded, and `continue` loads it:

        rig gdb --stage pre-insmod -b panthor_fw_init

    In gdb, `rig-symbols` looks again which modules are loaded. The guest ends with gdb,
    unless it is one that runs already (--guest).
    """
    if qemu and where is None:
        raise click.UsageError("--qemu is for a guest that runs: add --guest")
    if where is not None:
        folder = running(where)
        record = live.read(folder)
        if qemu:
            return call([commands.GDB, "-q", "-p", str(record.qemu), *more])
        secure = secure and record.flavour == "secure"
        return _running(reopened(folder), folder, breaks, secure, more)
    with guest(stage, direct, arguments, "gdb") as session:
        live.announce(session)
        if stage == "pre-insmod":
            _load_when_it_goes_on(session)
        stub = gdbstub.listen(session.vm.qmp, session.run_dir / "sockets")
        secure = secure and not direct
        init = commands.write(session.bed, session.run_dir / "gdb", stub, breaks, secure=secure)
        return call(commands.argv(init, more))


def _running(
    bed: TestBed, folder: Path, breaks: tuple[str, ...], secure: bool, more: tuple[str, ...]
) -> int:
    with live.monitor(folder) as qmp:
        stub = gdbstub.listen(qmp, folder / "sockets")
    init = commands.write(bed, folder / "gdb", stub, breaks, secure=secure)
    status = call(commands.argv(init, more))
    if live.is_live(folder):  # a gdb that was killed leaves it stopped
        with live.monitor(folder) as qmp:
            qmp.cont()
    return status


def _load_when_it_goes_on(session: Session) -> None:
    """Stop the guest with the command that loads panthor typed on its console."""
    heap = heap_parameter(session.bed, session.config.flavour)
    words = ["modprobe", "panthor", *Scenario(session).offer_heap(heap)]
    session.vm.qmp.stop()
    session.vm.console.stream.write(shlex.join(words).encode() + b"\n")
    click.echo(f"`continue` runs `{shlex.join(words)}`", err=True)
