# SPDX-License-Identifier: MIT
"""The console table of a run, and its stage timings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from rig.reviews import Shown
from rig.teeth import Bite
from rig.verdict.verdict import Outcome, Verdict

_WRONG = {
    False: "MISSING[/] no run here shows it",
    True: "WRONG[/] shown, and the table says that no run can",
}
_STYLE = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.NOT_APPLICABLE: "yellow",
    Outcome.ERROR: "bold magenta",
}


def print_verdicts(console: Console, title: str, verdicts: Sequence[Verdict]) -> None:
    """One row a scenario; the reason of each that did not pass stands below the table."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in ("scenario", "verdict", "guest s", "scenario s"):
        table.add_column(column, justify="right" if column.endswith(" s") else "left", no_wrap=True)
    for verdict in verdicts:
        table.add_row(
            verdict.scenario,
            f"[{_STYLE[verdict.outcome]}]{_label(verdict)}[/]{_note_kinds(verdict)}",
            _guest(verdict.stages),
            _seconds(verdict.stages.get("scenario")),
        )
    console.print(table)
    for verdict in verdicts:
        for note in verdict.notes:
            console.print(f"{verdict.scenario}: {note}", markup=False, soft_wrap=True)
        if verdict.sentence:
            console.print(f"{verdict.scenario}: {verdict.sentence}", markup=False, soft_wrap=True)
            if verdict.hint:
                console.print(f"  next: {verdict.hint}", markup=False, soft_wrap=True)
            if verdict.run_dir is not None:
                console.print(f"  logs: {verdict.run_dir}", markup=False, soft_wrap=True)


def _guest(stages: Mapping[str, float]) -> str:
    """How the guest came up, and how long that took."""
    return " ".join(f"{way} {stages[way]:.1f}" for way in ("boot", "restore") if way in stages)


def print_timings(console: Console, timings: Mapping[str, float]) -> None:
    """One line with the stages that took time."""
    parts = [f"{name} {seconds:.1f} s" for name, seconds in timings.items() if seconds >= 0.05]
    if parts:
        console.print("stages: " + ", ".join(parts), markup=False, soft_wrap=True)


def summary(verdicts: Sequence[Verdict]) -> str:
    """``3 passed, 1 failed, 2 skipped``: a skip is a scenario that does not apply."""
    count = {outcome: sum(v.outcome is outcome for v in verdicts) for outcome in Outcome}
    failed = count[Outcome.FAIL] + count[Outcome.ERROR]
    text = f"{count[Outcome.PASS]} passed, {failed} failed"
    skipped = count[Outcome.NOT_APPLICABLE]
    return text + (f", {skipped} skipped" if skipped else "")


def _label(verdict: Verdict) -> str:
    if verdict.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE) or verdict.failure is None:
        return verdict.outcome.value
    return f"{verdict.outcome.value} {verdict.failure.label}"


def _note_kinds(verdict: Verdict) -> str:
    kinds = dict.fromkeys(note.kind.value for note in verdict.notes)
    return "".join(f" [yellow]{kind}[/]" for kind in kinds)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def print_bites(console: Console, bites: Sequence[Bite]) -> None:
    """Mutant by mutant: what each scenario said, and whether it had to."""
    for bite in bites:
        mark = "[green]ok[/]" if bite.good else "[bold red]WRONG[/]"
        said = _label(bite.verdict)
        console.print(f"{mark} {bite.mutant.name:22} {bite.verdict.scenario:34} {said}")
        if bite.verdict.sentence:
            console.print(f"     {bite.verdict.sentence}", markup=False, soft_wrap=True)


def print_reviews(console: Console, found: Sequence[Shown]) -> None:
    """Finding by finding: what shows it, or why nothing does."""
    for one in found:
        console.print(f"[bold]{one.review.id:6}[/] {one.review.means}", soft_wrap=True)
        for scenario, mutants, contracts in one.proofs:
            text = f"{scenario} kills {', '.join(mutants)}; passes on {', '.join(contracts)}"
            console.print(f"       [green]shown[/] {text}", soft_wrap=True)
        if one.review.impossible:
            text = f"no run can show it: {one.review.impossible}"
            console.print(f"       [yellow]impossible[/] {text}", soft_wrap=True)
        if not one.good:
            console.print(f"       [bold red]{_WRONG[bool(one.proofs)]}", soft_wrap=True)
