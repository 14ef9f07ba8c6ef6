# SPDX-License-Identifier: MIT
"""`rig events`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console

from rig.errors import usage
from rig.gpu.event_table import ALL_KINDS
from rig.gpu.events import Event, EventLog
from rig.gpu.pretty import pretty
from rig.store import default_root

LOG_NAME = "gpu-events.jsonl"
_POLL_S = 0.1


@click.command("events")
@click.argument("where", required=False, metavar="[RUN_DIR|FILE]", type=click.Path(path_type=Path))
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind; repeatable.")
@click.option(
    "--since",
    default=-1,
    metavar="SEQ",
    help="Only events after this sequence number. Default: all.",
)
@click.option("--follow", is_flag=True, help="Go on printing until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def command(
    *, where: Path | None, kinds: tuple[str, ...], since: int, follow: bool, as_json: bool
) -> None:
    """What the emulated GPU reported, one line an event: docs/events.md.

    Columns: number, virtual time in s, kind, fields. Without RUN_DIR: the newest run.
    The firewall's log is read when it is named: RUN_DIR/SCENARIO/firewall-events.jsonl.
    """
    unknown = sorted(set(kinds) - ALL_KINDS.keys())
    if unknown:
        raise usage(f"no such kind of event: {unknown[0]}", f"one of: {', '.join(ALL_KINDS)}")
    where = where or newest_run(default_root() / "runs")
    printer = _Printer(where, kinds, since, as_json)
    try:
        printed = printer.look()
        if not printed and not follow:
            raise usage(f"no {LOG_NAME} in {where}", "give the folder of a run, or --follow")
        while follow:
            time.sleep(_POLL_S)
            printer.look()
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def newest_run(runs: Path) -> Path:
    """The newest run that has an event log. Raises `RigError` (USAGE) when there is none."""
    for folder in sorted(runs.glob("*"), reverse=True):
        if any(log.stat().st_size for log in logs_in(folder)):
            return folder
    raise usage(f"no run with GPU events in {runs}", "give a folder or a file, or `rig run` first")


def logs_in(where: Path) -> list[Path]:
    """Event logs of a run, or the file itself, by name. Raises `RigError` (USAGE)."""
    if where.is_dir():
        return sorted(where.rglob(LOG_NAME))
    if where.is_file():
        return [where]
    raise usage(f"there is no {where}", "give the folder of a run, or an event log")


class _Console(Console):
    """Leaves a closed pipe to the command: rich would exit with 1, which is a verdict."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Printer:
    """Prints what is new in each log; a heading says which one when there are several."""

    def __init__(self, where: Path, kinds: tuple[str, ...], since: int, as_json: bool) -> None:
        self._where = where
        self._kinds = kinds
        self._since = since
        self._as_json = as_json
        self._logs: dict[Path, EventLog] = {}
        self._seen: dict[Path, int] = {}
        self._heading: Path | None = None
        self._out = _Console(highlight=False, soft_wrap=True)

    def look(self) -> bool:
        """Print new events; False when there is no log at all."""
        paths = logs_in(self._where)
        for path in paths:
            log = self._logs.setdefault(path, EventLog(path))
            events = log.since(self._seen.get(path, self._since))
            if events:
                self._seen[path] = events[-1].seq
            for event in events:
                if not self._kinds or event.kind in self._kinds:
                    self._print(path, event, named=self._where.is_dir())
        return bool(paths)

    def _print(self, path: Path, event: Event, *, named: bool) -> None:
        name = str(path.parent.relative_to(self._where)) if named else path.name
        if self._as_json:
            line = {"seq": event.seq, "vns": event.vns, "ev": event.kind, **event.fields}
            if named:
                line["log"] = name
            click.echo(msgspec.json.encode(line))
            return
        if named and path != self._heading:
            self._heading = path
            self._out.print(f"== {name}", style="bold", markup=False)
        self._out.print(pretty(event))
