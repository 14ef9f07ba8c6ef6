# SPDX-License-Identifier: MIT
"""`rig cs asm|dis|list`."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import click

from rig.errors import usage
from rig.gpu.cs import asm, dis, table
from rig.gpu.cs.isa import ARCHES, WORD_BYTES

_FILE = click.argument("file", metavar="FILE|-")
_ARCH = click.option(
    "--arch", type=click.IntRange(ARCHES[0], ARCHES[-1]), default=dis.DEFAULT_ARCH,
    show_default=True, help="Major architecture of the GPU: 10 is G610, 13 is G925.",
)  # fmt: skip
_BASE = click.option(
    "--base",
    default="0",
    metavar="ADDRESS",
    show_default=True,
    help="GPU address of the first word.",
)
_OUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write to. Default: stdout.",
)


@click.group("cs")
def command() -> None:
    """Assemble and disassemble command streams (docs/cs-assembler.md)."""


@command.command("asm")
@_FILE
@_ARCH
@_BASE
@_OUT
@click.option("--binary", is_flag=True, help="Write little-endian words instead of hex lines.")
def assemble(*, file: str, arch: int, base: str, output: Path | None, binary: bool) -> None:
    """Assemble FILE: one hex word a line, or a binary."""
    try:
        text = _read(file).decode()
    except UnicodeDecodeError as exc:
        raise usage(f"{file} is no text", "`rig cs dis` reads binaries") from exc
    words = asm.assemble(text, arch=arch, base=_address(base), name=file)
    if binary:
        data = struct.pack(f"<{len(words)}Q", *words)
    else:
        data = "".join(f"0x{word:016x}\n" for word in words).encode()
    _write(data, output)


@command.command("dis")
@_FILE
@_ARCH
@_BASE
@_OUT
@click.option("--addresses", is_flag=True, help="Add address and word to each line.")
@click.option("--binary", is_flag=True, help="FILE is binary even if it looks like text.")
def disassemble(
    *, file: str, arch: int, base: str, output: Path | None, addresses: bool, binary: bool
) -> None:
    """Disassemble FILE: hex words, or little-endian binary.

    What comes out assembles to the same words again.
    """
    data = _read(file)
    words = _binary(data, file) if binary or not _looks_like_text(data) else _hex(data, file)
    text = dis.listing(words, arch, base=_address(base), addresses=addresses)
    _write(text.encode(), output)


@command.command("list")
def show_table() -> None:
    """List the instructions: opcode, architectures, operands and options."""
    _write(table.listing().encode(), None)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as exc:
        raise usage(f"cannot read {file}: {exc.strerror}", "give a file, or - for stdin") from exc


def _write(data: bytes, output: Path | None) -> None:
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise usage(f"cannot write {output}: {exc.strerror}") from exc


def _address(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError as exc:
        raise usage(f"--base {text!r} is no number", "for example --base 0x1000000") from exc
    if value % WORD_BYTES or not 0 <= value < 1 << 64:
        raise usage(f"--base {text} is no address of an instruction", "give a multiple of 8")
    return value


def _looks_like_text(data: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)


def _hex(data: bytes, file: str) -> list[int]:
    """Words of up to 16 hex digits; `;`, `#` and `//` start a comment. Raises `RigError`."""
    words = []
    for number, line in enumerate(data.decode().splitlines(), 1):
        for mark in (";", "#", "//"):
            line = line.split(mark, 1)[0]  # noqa: PLW2901
        for token in line.replace(",", " ").split():
            digits = token.lower().removeprefix("0x")
            if not 1 <= len(digits) <= 16 or digits.strip("0123456789abcdef"):
                column = line.find(token) + 1
                raise usage(
                    f"{file}:{number}:{column}: {token!r} is no 64-bit word in hex",
                    "give words such as 0x0200000000000064, or --binary",
                )
            words.append(int(digits, 16))
    return words


def _binary(data: bytes, file: str) -> list[int]:
    if len(data) % WORD_BYTES:
        raise usage(f"{file} has {len(data)} bytes: no whole number of 8-byte instructions")
    return [word for (word,) in struct.iter_unpack("<Q", data)]
