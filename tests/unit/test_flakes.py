# SPDX-License-Identifier: MIT
"""Runs that disagree are a flake, in one command and over the days."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rig.errors import FailureClass
from rig.flakes import FORGET_S, KEPT, Past, noted, together
from rig.store import Store
from rig.verdict.verdict import NoteKind, Outcome, Verdict, exit_code

OK = Verdict("family/name", Outcome.PASS, seconds=1.0, run_dir=Path("/runs/ok"))
BAD = Verdict("family/name", Outcome.FAIL, "3 pages are left", FailureClass.ASSERT, 2.0)
AGAIN = replace(BAD, sentence="5 pages are left", run_dir=Path("/runs/again"))
OOPS = Verdict("family/name", Outcome.FAIL, "oops in foo", FailureClass.OOPS)
LOST = Verdict("family/name", Outcome.ERROR, "QEMU vanished", FailureClass.LOST)
HANG = Verdict("family/name", Outcome.FAIL, "no answer", FailureClass.HANG)
NOT = Verdict("family/name", Outcome.NOT_APPLICABLE, "no contract", FailureClass.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("runs", "outcome", "failure", "sentence"),
    [
        ([OK], Outcome.PASS, None, ""),
        ([OK, OK], Outcome.PASS, None, ""),
        ([BAD, AGAIN], Outcome.FAIL, FailureClass.ASSERT, "5 pages are left"),
        ([NOT, NOT], Outcome.NOT_APPLICABLE, FailureClass.NOT_APPLICABLE, "no contract"),
        ([OK, BAD, OK], Outcome.FAIL, FailureClass.FLAKE, "1 of 3 runs failed: 3 pages are left"),
        (
            [BAD, OOPS, AGAIN], Outcome.FAIL, FailureClass.FLAKE,
            "3 of 3 runs failed: 3 pages are left; or: oops in foo",
        ),
        ([OK, BAD, LOST], Outcome.ERROR, FailureClass.LOST, "QEMU vanished"),
    ],
)  # fmt: skip
def test_several_runs_are_one_verdict(
    runs: list[Verdict], outcome: Outcome, failure: FailureClass | None, sentence: str
) -> None:
    told = together(runs)
    assert (told.outcome, told.failure, told.sentence) == (outcome, failure, sentence)


def test_a_flake_fails_and_shows_the_failing_guest() -> None:
    told = together([OK, AGAIN, OK])
    assert exit_code([told]) == 1
    assert told.run_dir == AGAIN.run_dir
    assert together([OK, replace(OK, run_dir=None)]).run_dir == OK.run_dir  # the first one stays


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(Store(tmp_path))


INPUTS = {"image": "a", "scenario": "family/name"}


def add(past: Past, *verdicts: Verdict) -> list[Verdict]:
    return [noted(verdict, past.add(INPUTS, verdict)) for verdict in verdicts]


def test_what_the_same_content_did_before_is_noted(past: Past) -> None:
    *others, told = add(past, OK, OK, AGAIN, BAD, OK)
    assert [len(verdict.notes) for verdict in others] == [0, 0, 1, 1]
    (note,) = told.notes
    assert note.kind is NoteKind.FLAKE
    assert note.text.startswith("2 of 4 earlier runs of the same content ended otherwise")
    assert note.text.endswith("ASSERT: N pages are left")
    assert told.outcome is Outcome.PASS  # those runs were judged when they ran


def test_another_content_has_another_past(past: Past) -> None:
    add(past, BAD)
    assert past.add({**INPUTS, "image": "b"}, OK) == []


@pytest.mark.parametrize("verdict", [LOST, HANG])
def test_what_a_busy_machine_does_is_no_flake(past: Past, verdict: Verdict) -> None:
    told = add(past, OK, verdict, OK)
    assert [one.notes for one in told] == [(), (), ()]


def test_the_past_is_bounded(past: Past, tmp_path: Path) -> None:
    add(past, *[OK] * (KEPT + 5))
    assert len(past.add(INPUTS, OK)) == KEPT
    (file,) = (tmp_path / "history").iterdir()
    past.forget()
    assert file.exists()
    old = time.time() - FORGET_S - 10
    os.utime(file, (old, old))
    past.forget()
    assert not file.exists()
