# SPDX-License-Identifier: MIT
"""The `rig` command: subcommands live one a file and are imported when called."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from rig import interrupt
from rig.environment import require_temporary
from rig.errors import FailureClass, RigError, infra
from rig.store import default_root, full_disk

_COMMANDS = {
    "run": "build what is needed, boot, run scenarios, print the verdicts",
    "watch": "judge the tree whenever it changes",
    "series": "judge every patch of a series: a table patch by scenario",
    "bisect": "find the first bad patch or commit, by the signature of its failure",
    "b4-check": "judge a patch in b4's protocol for external checks",
    "matrix": "contracts x GPUs x flavours x kernels, here or on a cluster",
    "verdict": "one line a scenario, and the exit code for `git bisect run`",
    "report": "a run as one HTML page: verdicts, reasons, one time line a guest",
    "shell": "a console in a guest at the stage you name",
    "ssh": "an ssh session in a guest at the stage you name",
    "cp": "copy files into a guest that runs, or out of it",
    "enter": "boot again what a run recorded, and look around",
    "replay": "a recorded guest once more, instruction by instruction, and compare",
    "gdb": "gdb on a guest, with the symbols of its kernel and modules",
    "inspect": "the driver's state read out of a guest's memory, beside the device's",
    "dump": "a guest's memory and registers as a vmcore",
    "events": "what the emulated GPU reported, one line an event",
    "decode": "page tables, streams and the firmware's interface out of a guest's memory",
    "cs": "assemble and disassemble command streams",
    "build": "build artifacts without running anything",
    "cache": "list or clean the artifact store",
    "completion": "what makes bash or zsh complete rig's commands, options and scenarios",
    "doctor": "what this machine lacks, and the command that gets it",
    "bench": "measure what the rig costs: boots against bare QEMU, verdicts, rates",
    "reviews": "which findings of the reviews are shown, by which scenario and mutant",
    "teeth": "run the scenarios on broken drivers and devices: each must be caught",
}


class _Lazy(click.Group):
    """Imports `rig.cli.<name>` only for the command that is called: start-up stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"rig.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.short_help = _COMMANDS[cmd_name]
        return command


_MORE = """\b
Environment:
  RIG_CACHE       folder of everything that is built, fetched and logged
                  (default: panthor-rig in the user's cache folder)
  RIG_CACHE_GIB   bound on its size, GiB (default: 20)
\b
Exit codes:
  0 pass   1 the code under test fails   125 this commit cannot be judged
  128 and above: the rig itself failed (docs/exit-codes.md)
\b
Begin with docs/tutorial.md; a failure of class X: docs/troubleshooting.md.
"""


@click.group(cls=_Lazy, epilog=_MORE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="panthor-rig", prog_name="rig")
def cli() -> None:
    """panthor-rig: a real panthor on an emulated Mali CSF GPU with a real OP-TEE heap."""


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: every failure ends here as one clear line and its class's exit code."""
    interrupt.listen()
    sys.exit(_run(argv))


def _run(argv: Sequence[str] | None) -> int:
    try:
        require_temporary()
        result = cli.main(args=argv, prog_name="rig", standalone_mode=False)
        interrupt.check()  # Python drops what is raised in a destructor
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - Python's own exit code 1 would be a verdict
        interrupt.taken()
        error = _told(exc)
        _complain(error)
        return error.failure.exit_code
    return result if isinstance(result, int) else 0


def _told(exc: BaseException) -> RigError:
    """What ended the command, for the user. A signal outranks whatever it set off."""
    by = interrupt.stopped_by()
    if by or isinstance(exc, KeyboardInterrupt):
        return _stopped(by or "Ctrl-C", exc)
    if isinstance(exc, RigError):
        return exc
    if isinstance(exc, click.ClickException):
        return RigError(FailureClass.USAGE, exc.format_message(), hint="rig --help")
    if isinstance(exc, click.Abort) and exc.__cause__ is not None:
        return _told(exc.__cause__)  # click's word for Ctrl-C, and for an EOFError anywhere
    full = full_disk(exc, default_root()) if isinstance(exc, OSError) else None
    return full or _unforeseen(exc)


def _stopped(by: str, exc: BaseException) -> RigError:
    """The end by a signal, with what could not be taken down because of it."""
    trouble = isinstance(exc, RigError)
    return RigError(
        FailureClass.INTERRUPTED,
        f"stopped by {by}; finished artifacts are kept",
        hint=f"look after this: {exc}" if trouble else "the same command goes on from there",
        log=exc.log if isinstance(exc, RigError) else None,
    )


def _unforeseen(exc: BaseException) -> RigError:
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
