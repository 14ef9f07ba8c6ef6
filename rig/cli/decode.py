# SPDX-License-Identifier: MIT
"""`rig decode walk|stream|shared`."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from rig import live
from rig.errors import usage
from rig.gpu import decode
from rig.gpu.cs import dis
from rig.gpu.cs.isa import ARCHES, WORD_BYTES
from rig.gpu.events import EventLog
from rig.machine.launch import RAM_BASE
from rig.machine.qmp import Qmp
from rig.machine.snapshot import RAM

LOG = "gpu-events.jsonl"
SHARED_VA = 0x0400_0000
"""CSF_MCU_SHARED_REGION_START (panthor_fw.c)."""
F = TypeVar("F", bound=Callable[..., object])

_GUEST = click.option(
    "--guest", "where", metavar="FOLDER|live", default="live", show_default=True,
    help="A guest that runs, or the folder of a saved one (ram and gpu-events.jsonl in it).",
)  # fmt: skip
_SPACE = click.option(
    "--as", "space", type=int, default=1, show_default=True, metavar="N",
    help="Number of the address space: 0 is the MCU's.",
)  # fmt: skip


@click.group("decode")
def command() -> None:
    """Explain page tables, streams and the firmware's interface out of a guest's memory.

    Nothing runs in the guest; a running one stands still for the look. Which tables an
    address space has is told by the device's log.
    """


@command.command("walk")
@_GUEST
@_SPACE
@click.argument("va", metavar="ADDRESS")
def walk(*, where: str, space: int, va: str) -> None:
    """The way from a GPU address to the memory behind it, a line a level."""
    with _memory(where) as (read, events):
        click.echo(decode.walk(read, _table(events, space), _address(va)).text(), nl=False)


@command.command("stream")
@_GUEST
@_SPACE
@click.option("--arch", type=click.IntRange(ARCHES[0], ARCHES[-1]), default=dis.DEFAULT_ARCH,
              show_default=True, help="The GPU's major architecture.")  # fmt: skip
@click.argument("va", metavar="ADDRESS")
@click.argument("count", type=click.IntRange(1, 1 << 16), default=32)
def stream(*, where: str, space: int, arch: int, va: str, count: int) -> None:
    """COUNT instructions at a GPU address: of a ring buffer, or of a job's own stream."""
    at = _address(va)
    with _memory(where) as (read, events):
        data = decode.fetch(read, _table(events, space), at, count * WORD_BYTES)
    words = struct.unpack(f"<{count}Q", data)
    click.echo(dis.listing(words, arch, base=at, addresses=True), nl=False)


@command.command("shared")
@_GUEST
def shared(*, where: str) -> None:
    """The firmware's interface: what was asked for, and what was answered."""
    with _memory(where) as (read, events):
        click.echo(decode.shared(read, _table(events, decode.MCU_AS), SHARED_VA), nl=False)


def _address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as exc:
        raise usage(f"{text!r} is no address", "0x1000000, for example") from exc


def _table(log: EventLog, space: int) -> int:
    tables = decode.spaces(log.read())
    if space not in tables:
        known = ", ".join(map(str, sorted(tables))) or "none"
        raise usage(f"address space {space} is off", f"--as N; these are on: {known}")
    return tables[space]


@contextmanager
def _memory(where: str) -> Iterator[tuple[decode.Read, EventLog]]:
    folder = Path(where)
    if (folder / RAM).is_file() and not live.is_live(folder):
        with (folder / RAM).open("rb") as file:
            yield _of_file(file.fileno(), (folder / RAM).stat().st_size), EventLog(folder / LOG)
        return
    folder = live.find(where)
    with live.monitor(folder) as qmp, live.halted(qmp):
        yield _of_qemu(qmp), EventLog(folder / LOG)


def _of_file(handle: int, size: int) -> decode.Read:
    def read(address: int, length: int) -> bytes:
        if not RAM_BASE <= address <= RAM_BASE + size - length:
            raise usage(f"{address:#x} is not in the guest's RAM", "a table may be damaged")
        return os.pread(handle, length, address - RAM_BASE)

    return read


def _of_qemu(qmp: Qmp) -> decode.Read:
    def read(address: int, length: int) -> bytes:
        with tempfile.NamedTemporaryFile() as file:
            qmp.execute("pmemsave", val=address, size=length, filename=file.name)
            return Path(file.name).read_bytes()

    return read
