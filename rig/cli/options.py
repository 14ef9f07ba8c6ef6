# SPDX-License-Identifier: MIT
"""Options shared by the commands that build or run something."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rig.cli import completion
from rig.options import Options

F = TypeVar("F", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)
_KERNEL = click.option(
    "--kernel",
    type=_PATH,
    metavar="TREE",
    help="Kernel tree under test; read, never written. Default: Linux 7.3 from apt.",
)
_PATCHES = (
    click.option("--series", type=_PATH, multiple=True, metavar="DIR|MBOX",
                 help="Patches on top, in order; repeatable. Default: our heap-name series, "
                      "none with --kernel."),
    click.option("--no-series", is_flag=True, help="Apply nothing: the unpatched tree."),
    click.option("--mutant", metavar="NAME", shell_complete=completion.mutants,
                 help="Break the driver or OP-TEE on purpose; `rig teeth --list` has the names. "
                      "Default: none."),
    click.option("--contract", metavar="NAME",
                 help="Fail unless the tree speaks this contract. Default: whatever it speaks."),
)  # fmt: skip
_MACHINE = (
    click.option("--gpu", default="g610", show_default=True, metavar="NAME",
                 help="Row of the GPU table (docs/adding.md)."),
    click.option("--debug", is_flag=True,
                 help="The slow kernel: KASAN, lockdep, kmemleak, DMA-API checks."),
    click.option("--tyr", is_flag=True, help="The Rust driver, in a kernel of its own."),
    click.option("--coherent", is_flag=True, help="The GPU sees the CPU's caches."),
    click.option("--soc", type=click.Choice(["rk3588", "mt8196"]), default="rk3588",
                 show_default=True, help="Whose GPU node the device tree has."),
    click.option("--fault", "faults", multiple=True, metavar="NAME=N",
                 help="Break the device: a row of its fault plan (docs/faults.md); repeatable."),
    click.option("--firewall", type=click.Choice(["on", "off"]), default="on", show_default=True,
                 help="Off: protected memory is closed to nobody."),
    click.option("--qemu-src", type=_PATH, metavar="TREE", help="QEMU source. Default: from apt."),
    click.option("--tfa-src", type=_PATH, metavar="TREE", help="TF-A source. Default: from apt."),
    click.option("--optee-src", type=_PATH, metavar="TREE",
                 help="OP-TEE source. Default: from apt."),
    click.option("--mcu-fw", type=_PATH, metavar="FILE",
                 help="MCU firmware image (mali_csffw.bin). Default: a generated one."),
    click.option("--rootfs", type=click.Choice(["initramfs", "debian"]), default="initramfs",
                 show_default=True, help="Userland: a small one in memory, or Debian on a disk."),
    click.option("--net", is_flag=True, help="The guest reaches what this machine reaches."),
    click.option("--cold", is_flag=True, help="Boot every guest instead of restoring snapshots."),
    click.option("--refresh", is_flag=True, help="Ask apt for newer sources than those fetched."),
)  # fmt: skip


def bed_options(function: F) -> F:
    """Add the options that choose what is under test."""
    return _add(function, (_KERNEL, *_PATCHES, *_MACHINE))


def machine_options(function: F) -> F:
    """Add the options that choose the kernel tree and the machine, but no patches."""
    return _add(function, (_KERNEL, *_MACHINE))


def _add(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def to_options(arguments: dict[str, Any], below: tuple[Path, ...] = ()) -> Options:
    """Click's arguments as `Options`. `below`: the patches where there are no options for them."""
    values = dict(arguments)
    faults = tuple(_fault(text) for text in values.pop("faults"))
    values["firewall"] = values.pop("firewall") == "on"
    if "series" not in values:
        return Options(series=below, faults=faults, **values)
    series: tuple[Path, ...] = values.pop("series")
    none = values.pop("no_series")
    if none and series:
        raise click.UsageError("--series and --no-series exclude each other")
    return Options(series=series if series or none else None, faults=faults, **values)


def begin_of(again: bool) -> float:
    """From when on kept verdicts count, s since the epoch: with ``--again`` from now on."""
    return time.time() if again else 0.0


def _fault(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not equals or not number.isdecimal():
        raise click.UsageError(f"--fault {text!r}: give NAME=NUMBER")
    return name, int(number)
