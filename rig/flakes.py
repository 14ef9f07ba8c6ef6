# SPDX-License-Identifier: MIT
"""Flakes: runs of the same content that disagree.

`rig run --repeat` makes several runs and one verdict of them. Every verdict of `rig run`
also goes into a history by its inputs (`rig.states.inputs_of`: kernel, machine, scenario,
rig), so that a flake shows in runs that are days apart. What the rig could not find out,
and a hang, which a busy machine causes too, do not count there.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rig import bundle
from rig.catalogue import Entry
from rig.errors import FailureClass
from rig.runner import RunResult
from rig.states import inputs_of
from rig.store import Store, key_of
from rig.testbed import TestBed
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict

KEPT = 100
"""Runs of one content that are remembered."""
FORGET_S = 90 * 86400.0
"""After which a content that was not run again is forgotten."""


def together(runs: Sequence[Verdict]) -> Verdict:
    """One verdict of several runs of one scenario, at least one.

    The rig's own failure is not evened out. Runs that end in different ways are a FLAKE,
    which fails, with the reasons of all; runs that agree are what each of them is.
    """
    errors = [run for run in runs if run.outcome is Outcome.ERROR]
    if errors:
        return errors[0]
    failed = [run for run in runs if run.outcome is Outcome.FAIL]
    last = failed[-1] if failed else runs[0]
    if len({_mark(run) for run in runs}) == 1:
        return replace(last, seconds=sum(run.seconds for run in runs))
    reasons: dict[str, str] = {}
    for run in failed:
        reasons.setdefault(_mark(run), run.sentence)
    return replace(
        last,
        outcome=Outcome.FAIL,
        failure=FailureClass.FLAKE,
        sentence=f"{len(failed)} of {len(runs)} runs failed: {'; or: '.join(reasons.values())}",
        seconds=sum(run.seconds for run in runs),
    )


def _mark(verdict: Verdict) -> str:
    """What must be the same in every run."""
    return str(signature_of(verdict) or verdict.outcome.value)


@dataclass(frozen=True)
class Seen:
    """One earlier verdict."""

    when: float
    """s since the epoch."""
    mark: str
    """PASS, NOT_APPLICABLE, or the signature of a failure."""


class Past:
    """Verdicts by content, in the store's `history/`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = store.root / "history"
        self._root.mkdir(exist_ok=True)

    def add(self, inputs: dict[str, str], verdict: Verdict) -> list[Seen]:
        """Remember a verdict; what was known of the same inputs before."""
        path = self._root / f"{key_of(inputs)}.json"
        with self._store.lock("history"):
            known = [Seen(*pair) for pair in json.loads(path.read_text())] if path.exists() else []
            if verdict.outcome is not Outcome.ERROR and verdict.failure is not FailureClass.HANG:
                kept = [*known, Seen(time.time(), _mark(verdict))][-KEPT:]
                scratch = path.with_suffix(".new")
                scratch.write_text(json.dumps([(one.when, one.mark) for one in kept]) + "\n")
                scratch.replace(path)
        return known

    def forget(self) -> None:
        """Drop what is old."""
        for path in self._root.glob("*.json"):
            if path.stat().st_mtime < time.time() - FORGET_S:
                path.unlink(missing_ok=True)


def noted(verdict: Verdict, known: Sequence[Seen]) -> Verdict:
    """The verdict, with a note when the same content had another one before."""
    if verdict.outcome is Outcome.ERROR or verdict.failure is FailureClass.HANG:
        return verdict
    others = [one for one in known if one.mark != _mark(verdict)]
    if not others:
        return verdict
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(others[-1].when))
    text = (
        f"{len(others)} of {len(known)} earlier runs of the same content ended otherwise, "
        f"the last one on {day}: {others[-1].mark}"
    )
    return replace(verdict, notes=(*verdict.notes, Note(NoteKind.FLAKE, text)))


def repeated(
    bed: TestBed,
    chosen: Sequence[Entry],
    folder: Path,
    repeat: int,
    judge: Callable[[Path], RunResult],
) -> RunResult:
    """`repeat` runs as one, with notes on what the same content did before.

    Each run has a folder of its own below `folder`; but the first, those without a failure
    do not stay.
    """
    past = Past(bed.builder.store)
    past.forget()
    if repeat == 1:
        result = judge(folder)
        return replace(result, verdicts=_remembered(past, bed, chosen, result))
    record = bundle.begin(bed, folder, {entry.id: entry.reviews for entry in chosen})
    runs: list[list[Verdict]] = []
    started = time.monotonic()
    for turn in range(1, repeat + 1):
        below = folder / f"{turn:04}"
        below.mkdir()
        result = judge(below)
        runs.append(_remembered(past, bed, chosen, result))
        if turn > 1 and all(verdict.exit_code == 0 for verdict in result.verdicts):
            shutil.rmtree(below)
    verdicts = [together(one) for one in zip(*runs, strict=True)]
    whole = RunResult(verdicts, folder, time.monotonic() - started)
    bundle.finish(record, folder, verdicts, whole.seconds)
    return whole


def _remembered(
    past: Past, bed: TestBed, chosen: Sequence[Entry], result: RunResult
) -> list[Verdict]:
    soak = {"soak": str(bed.options.soak)}
    return [
        noted(verdict, past.add({**inputs_of(bed, entry), **soak}, verdict))
        for entry, verdict in zip(chosen, result.verdicts, strict=True)
    ]
