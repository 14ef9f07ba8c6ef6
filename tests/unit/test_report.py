# SPDX-License-Identifier: MIT
"""What a run writes for other programs, and its exit code."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from rich.console import Console

from rig import bundle, states
from rig.errors import FailureClass
from rig.report.junit import write_junit
from rig.report.ktap import ktap
from rig.report.table import print_verdicts, summary
from rig.runner import RunResult
from rig.store import Store
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict, exit_code, outcome_of

PASS = Verdict("a/one", Outcome.PASS)
SKIP = Verdict("a/two", Outcome.NOT_APPLICABLE, "needs x", FailureClass.NOT_APPLICABLE)
FAIL = Verdict("b/three", Outcome.FAIL, "it <broke> & fell", FailureClass.OOPS)
LOST = Verdict("b/four", Outcome.ERROR, "gone", FailureClass.LOST)
BOOT = Verdict("b/five", Outcome.ERROR, "no boot", FailureClass.BOOT)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 128),
        ([PASS], 0),
        ([PASS, SKIP], 0),
        ([SKIP], 125),
        ([PASS, FAIL], 1),
        ([FAIL, SKIP], 1),
        ([BOOT, PASS], 125),
        ([BOOT, FAIL], 1),
        ([FAIL, LOST], 132),
        ([PASS, LOST], 132),
    ],
)
def test_exit_code(verdicts: list[Verdict], code: int) -> None:
    assert exit_code(verdicts) == code


def test_outcomes_are_whose_fault_it_is() -> None:
    assert outcome_of(FailureClass.MODEL_VIOLATION) is Outcome.FAIL
    assert outcome_of(FailureClass.NOT_APPLICABLE) is Outcome.NOT_APPLICABLE
    assert outcome_of(FailureClass.BUILD) is Outcome.ERROR
    assert outcome_of(FailureClass.LOST) is Outcome.ERROR


def test_ktap() -> None:
    assert ktap([PASS, SKIP, FAIL]).splitlines() == [
        "KTAP version 1",
        "1..2",
        "  KTAP version 1",
        "  # Subtest: a",
        "  1..2",
        "  ok 1 one",
        "  ok 2 two # SKIP needs x",
        "ok 1 a",
        "  KTAP version 1",
        "  # Subtest: b",
        "  1..1",
        "  # OOPS: it <broke> & fell",
        "  not ok 1 three",
        "not ok 2 b",
    ]


def test_junit(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    write_junit(file, "t", RunResult([PASS, SKIP, FAIL, LOST], tmp_path, 1.0))
    suite = ET.parse(file).getroot()
    counts = {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "it <broke> & fell"


def test_summary() -> None:
    assert summary([PASS, SKIP, FAIL, LOST]) == "1 passed, 2 failed, 1 skipped"


NOTED = Verdict(
    "b/six", Outcome.PASS,
    notes=(Note(NoteKind.INTEGRATION, "the heap 'x,y' is not there"),),
)  # fmt: skip


def test_a_note_stands_in_every_report_and_changes_no_verdict(tmp_path: Path) -> None:
    assert exit_code([NOTED]) == 0
    assert "  # INTEGRATION: the heap 'x,y' is not there" in ktap([NOTED]).splitlines()
    write_junit(tmp_path / "j.xml", "t", RunResult([NOTED], tmp_path, 1.0))
    case = ET.parse(tmp_path / "j.xml").getroot()[0]
    assert [tuple(p.attrib.values()) for p in case.iter("property")] == [
        ("INTEGRATION", "the heap 'x,y' is not there")
    ]
    assert case.find("failure") is None
    text = io.StringIO()
    print_verdicts(Console(file=text, width=120), "t", [NOTED])
    told = text.getvalue().splitlines()
    assert any("PASS INTEGRATION" in line for line in told)
    assert "b/six: INTEGRATION: the heap 'x,y' is not there" in told


def test_a_note_is_kept_with_the_run_and_with_a_verdict(tmp_path: Path) -> None:
    row = bundle._row(NOTED, tmp_path)
    kept = msgspec.json.decode(msgspec.json.encode(row), type=bundle.Row)
    assert bundle.verdict_of(kept, tmp_path).notes == NOTED.notes
    store = Store(tmp_path)
    states._keep(store, "k", {}, NOTED)
    assert states._recall(store, "k", 0.0) == NOTED
