# SPDX-License-Identifier: MIT
"""The `rig` command: subcommands live one a file and are imported when called."""

from __future__ import annotations

import importlib
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from rig.errors import FailureClass, RigError, infra
from rig.store import default_root, full_disk

_COMMANDS = {
    "run": "build what is needed, boot, run scenarios, print the verdicts",
    "series": "judge every patch of a series: a table patch by scenario",
    "bisect": "find the first bad patch or commit, by the signature of its failure",
    "verdict": "one line a scenario, and the exit code for `git bisect run`",
    "shell": "a console in a guest at the stage you name",
    "ssh": "an ssh session in a guest at the stage you name",
    "events": "what the emulated GPU reported, one line an event",
    "cs": "assemble and disassemble command streams",
    "build": "build artifacts without running anything",
    "cache": "list or clean the artifact store",
    "doctor": "what this machine lacks, and the command that gets it",
    "bench": "measure what the rig costs: boots against bare QEMU, verdicts, rates",
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
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup rig run &` stays
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, _stop)
    sys.exit(_run(argv))


def _stop(number: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal end the rig as Ctrl-C does: all is taken down first."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def _run(argv: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=argv, prog_name="rig", standalone_mode=False)
    except click.ClickException as exc:
        _complain(RigError(FailureClass.USAGE, exc.format_message(), hint="rig --help"))
        return FailureClass.USAGE.exit_code
    except (KeyboardInterrupt, click.Abort) as exc:
        by = next(iter(exc.args), None) or "Ctrl-C"
        _complain(
            RigError(FailureClass.INTERRUPTED, f"stopped by {by}; finished artifacts are kept")
        )
        return FailureClass.INTERRUPTED.exit_code
    except RigError as exc:
        _complain(exc)
        return exc.failure.exit_code
    except Exception as exc:  # noqa: BLE001 - Python's own exit code 1 would be a verdict
        full = full_disk(exc, default_root()) if isinstance(exc, OSError) else None
        _complain(full or _unforeseen(exc))
        return FailureClass.INFRA.exit_code
    return result if isinstance(result, int) else 0


def _unforeseen(exc: Exception) -> RigError:
    """The error for what no code foresaw; its traceback goes into a file."""
    told = f"{type(exc).__name__}: {exc}"
    log: Path | None = default_root() / "logs" / f"rig-{time.strftime('%Y%m%d-%H%M%S')}.log"
    try:
        assert log is not None
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(exc)))
    except OSError:
        log = None
    if isinstance(exc, OSError):
        return infra(told, "check that path and its permissions", log)
    return infra(f"a bug in the rig: {told}", "please report it with the log", log)


def _complain(error: RigError) -> None:
    console = Console(stderr=True, highlight=False)
    for line in error.lines():
        console.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
