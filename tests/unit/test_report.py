# SPDX-License-Identifier: MIT
"""What a run writes for other programs, and its exit code."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rig.errors import FailureClass
from rig.report.junit import write_junit
from rig.report.ktap import ktap
from rig.report.table import summary
from rig.runner import RunResult
from rig.verdict.verdict import Outcome, Verdict, exit_code, outcome_of

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
