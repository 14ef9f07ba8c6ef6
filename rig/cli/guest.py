# SPDX-License-Identifier: MIT
"""What `rig shell` and `rig ssh` share: a guest at a stage, kept until the user leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from rig import doctor
from rig.cli.options import F, bed_options, to_options
from rig.runner import new_run_dir
from rig.scenarios.kit import Scenario
from rig.session import GuestConfig, Session
from rig.stages import STAGES, advance
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
    return bed_options(function)


@contextmanager
def guest(stage: str, direct: bool, arguments: dict[str, Any]) -> Iterator[Session]:
    """A guest at `stage`."""
    ui = Reporter()
    bed = TestBed(to_options(arguments), ui)
    doctor.ensure(ui)
    bed.build_all()
    config = GuestConfig("direct" if direct else "secure")
    run_dir = new_run_dir(bed.builder.store, "shell")
    with Session(bed, run_dir, config) as session:
        advance(Scenario(session), stage)
        ui.say(f"{bed.tree.label}, stage {stage}, contract {bed.contract.contract.name}")
        ui.say(f"logs and device events: {run_dir}")
        yield session
