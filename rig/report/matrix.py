# SPDX-License-Identifier: MIT
"""The table patch by scenario, the reasons below it, and both as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rig.series import Finding, findings, new_warnings, signatures
from rig.states import Judged, Ruling
from rig.verdict.signature import DEFINITION, signature_of
from rig.verdict.verdict import Note, Outcome

_STYLE = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.NOT_APPLICABLE: "yellow",
    Outcome.ERROR: "bold magenta",
}
_LEGEND = "> new failure   [n] its signature   = verdict of the same content, no guest booted"
_TITLE = 46  # columns for a patch's subject


def print_matrix(console: Console, title: str, rows: Sequence[Ruling]) -> None:
    """One row a state; below it the reason of each failure that a patch brought in."""
    found = findings(rows)
    numbers = signatures(rows)
    fresh = {(one.row, one.verdict.scenario) for one in found}
    table = Table(title=escape(title), title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("patch", no_wrap=True, max_width=_TITLE, overflow="ellipsis")
    table.add_column("contract", no_wrap=True)
    for judged in rows[0].judged:
        table.add_column(judged.verdict.scenario, no_wrap=True)
    for heading in ("build s", "run s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, row in enumerate(rows):
        cells = [
            _cell(judged, numbers, (number, judged.verdict.scenario) in fresh)
            for judged in row.judged
        ]
        seconds = (f"{row.build_s:.1f}", f"{row.run_s:.1f}")
        name = escape(row.state.title[:_TITLE])
        table.add_row(row.state.name, name, row.contract or "-", *cells, *seconds)
    console.print(table)
    console.print(_LEGEND, markup=False, soft_wrap=True)
    _print_reasons(console, rows, found)


def _cell(judged: Judged, numbers: dict[Any, int], fresh: bool) -> str:
    verdict = judged.verdict
    text = verdict.outcome.value
    if verdict.outcome is Outcome.ERROR and verdict.failure is not None:
        text = verdict.failure.label
    signature = signature_of(verdict)
    if signature is not None:
        text = f"{'> ' if fresh else ''}FAIL {signature.failure.label} [{numbers[signature]}]"
    mark = " =" if judged.reused else ""
    return f"[{_STYLE[verdict.outcome]}]{escape(text)}[/]{mark}"


def _print_reasons(console: Console, rows: Sequence[Ruling], found: Sequence[Finding]) -> None:
    for one in found:
        where = f"patch {rows[one.row].state.name}" if one.row else "the base"
        how = "" if one.new else " (the first state it applies to)"
        _say(console, f"[{one.number}] {one.verdict.scenario}: {where}{how}: "
                      f"{one.verdict.failure.label if one.verdict.failure else '?'}: "
                      f"{one.verdict.sentence}")  # fmt: skip
        if one.unjudged:
            _say(console, f"    not judged just before: {', '.join(one.unjudged)}")
        if one.verdict.run_dir is not None:
            _say(console, f"    logs: {one.verdict.run_dir}")
    for row in rows:
        errors = {j.verdict.sentence for j in row.judged if j.verdict.outcome is Outcome.ERROR}
        for sentence in sorted(errors):
            _say(console, f"patch {row.state.name} cannot be judged: {sentence}")
    for scenario, note, names in notes_of(rows):
        _say(console, f"{scenario} (patch {', '.join(names)}): {note}")
    for warned in new_warnings(rows):
        _say(console, f"patch {rows[warned.row].state.name} brings in a compiler warning: "
                      f"{warned.sentence}")  # fmt: skip
    if found:
        _say(console, DEFINITION)


def notes_of(rows: Sequence[Ruling]) -> list[tuple[str, Note, list[str]]]:
    """Scenario, note, and the names of the states it was made on: each note once."""
    found: dict[tuple[str, Note], list[str]] = {}
    for row in rows:
        for judged in row.judged:
            for note in judged.verdict.notes:
                found.setdefault((judged.verdict.scenario, note), []).append(row.state.name)
    return [(scenario, note, names) for (scenario, note), names in found.items()]


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def write_json(path: Path, rows: Sequence[Ruling]) -> None:
    """The matrix for other programs: one object a state, one a verdict in it."""
    fresh = {(one.row, one.verdict.scenario) for one in findings(rows)}
    warned = new_warnings(rows)
    states = [
        {
            "name": row.state.name,
            "title": row.state.title,
            "tree": row.state.tree.id if row.state.tree else None,
            "contract": row.contract or None,
            "build_seconds": round(row.build_s, 2),
            "run_seconds": round(row.run_s, 2),
            "new_warnings": [one.sentence for one in warned if one.row == number],
            "verdicts": [
                _verdict(judged, (number, judged.verdict.scenario) in fresh)
                for judged in row.judged
            ],
        }
        for number, row in enumerate(rows)
    ]
    document = {"signature": DEFINITION, "states": states}
    path.write_text(json.dumps(document, indent=1) + "\n")


def _verdict(judged: Judged, fresh: bool) -> dict[str, Any]:
    verdict = judged.verdict
    signature = signature_of(verdict)
    return {
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "failure": verdict.failure.label if verdict.failure else None,
        "sentence": verdict.sentence,
        "signature": signature.id if signature else None,
        "new_failure": fresh,
        "reused": judged.reused,
        "notes": [{"kind": note.kind.value, "text": note.text} for note in verdict.notes],
        "run_dir": str(verdict.run_dir) if verdict.run_dir else None,
    }
