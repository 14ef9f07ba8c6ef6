# SPDX-License-Identifier: MIT
"""The `rig` command: subcommands live one a file and are imported when called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click
from rich.console import Console

from rig.errors import FailureClass, RigError
from rig.store import default_root, full_disk

_COMMANDS = {
    "run": "build what is needed, boot, run scenarios, print the verdicts",
    "shell": "a console in a guest at the stage you name",
    "ssh": "an ssh session in a guest at the stage you name",
    "cs": "assemble and disassemble command streams",
    "build": "build artifacts without running anything",
    "cache": "list or clean the artifact store",
    "doctor": "what this machine lacks, and the command that gets it",
    "teeth": "run the scenarios on broken drivers and devices: each must be caught",
}


class _Lazy(click.Group):
    """Imports `rig.cli.<name>` only for the command that is called: start-up stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"rig.cli.{cmd_name}")
        command: click.Command = module.command
        command.short_help = _COMMANDS[cmd_name]
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="panthor-rig", prog_name="rig")
def cli() -> None:
    """panthor-rig: a real panthor on an emulated Mali CSF GPU with a real OP-TEE heap."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: every failure ends here as one clear line and its class's exit code."""
    sys.exit(_run(argv))


def _run(argv: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=argv, prog_name="rig", standalone_mode=False)
    except click.ClickException as exc:
        _complain(RigError(FailureClass.USAGE, exc.format_message(), hint="rig --help"))
        return FailureClass.USAGE.exit_code
    except (KeyboardInterrupt, click.Abort):
        _complain(
            RigError(FailureClass.INTERRUPTED, "stopped by Ctrl-C; finished artifacts are kept")
        )
        return FailureClass.INTERRUPTED.exit_code
    except RigError as exc:
        _complain(exc)
        return exc.failure.exit_code
    except OSError as exc:
        error = full_disk(exc, default_root())
        if error is None:
            raise
        _complain(error)
        return error.failure.exit_code
    return result if isinstance(result, int) else 0


def _complain(error: RigError) -> None:
    console = Console(stderr=True, highlight=False)
    for line in error.lines():
        console.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
