# SPDX-License-Identifier: MIT
"""What the interactive commands share: a guest that runs, or a new one at a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rig import doctor, live, tested
from rig.cli.options import F, bed_options, to_options
from rig.errors import usage
from rig.runner import new_run_dir
from rig.session import GuestConfig, Session
from rig.snapshots import opened
from rig.stages import STAGES
from rig.testbed import TestBed
from rig.ui import Reporter


def guest_options(function: F) -> F:
    """The options that choose the tree, the stage and the boot flavour."""
    function = click.option(
        "--stage", type=click.Choice(STAGES), default="probed", show_default=True,
        help="How far to bring the guest.",
    )(function)  # fmt: skip
    function = click.option("--direct", is_flag=True, help="Boot without TF-A and OP-TEE.")(
        function
    )
    function = click.option(
        "--keep-disk", type=click.Path(path_type=Path), metavar="FILE",
        help="Debian's disk for this and later guests, made if need be. "
        "Default: one that ends with the guest.",
    )(function)  # fmt: skip
    return bed_options(function)


def running_option(function: F) -> F:
    """`--guest`: a guest that runs instead of a new one."""
    wrap: Callable[[F], F] = click.option(
        "--guest", "where", metavar="FOLDER|live",
        help="A guest that runs: its folder, or `live` for the newest; default: a new guest.",
    )  # fmt: skip
    return wrap(function)


def running(where: str) -> Path:
    """Folder of the live guest that the user named; options of a new guest are refused with it."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name in _OF_NEW:
            raise usage(
                f"{parameter.opts[0]} chooses a new guest; --guest has one already",
                f"drop --guest, or {parameter.opts[0]}",
            )
    return live.find(where)


@guest_options
def _new() -> None:
    """Nothing but the options of a new guest."""


_OF_NEW = frozenset(option.name for option in getattr(_new, "__click_params__"))  # noqa: B009


def reopened(folder: Path) -> TestBed:
    """What a live guest was made of."""
    return tested.reopen(live.read(folder).inputs, Reporter())


@contextmanager
def guest(stage: str, direct: bool, arguments: dict[str, Any], *needs: str) -> Iterator[Session]:
    """A guest at `stage`; `needs`: what the caller needs on this machine (`doctor.NEEDS`)."""
    ui = Reporter()
    bed = TestBed(to_options(arguments), ui)
    doctor.ensure(ui, *needs)
    bed.build_all()
    config = GuestConfig("direct" if direct else "secure")
    run_dir = new_run_dir(bed.builder.store, "shell")
    with opened(bed, run_dir, config, stage) as session:
        ui.say(f"{bed.tree.label}, stage {stage}, contract {bed.contract.contract.name}")
        ui.say(f"logs and device events: {run_dir}")
        yield session
