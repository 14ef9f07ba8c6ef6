# SPDX-License-Identifier: MIT
"""A run as text for a mail, and as a trace: whole, in bounds, and hostile text made visible."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from rig.bundle import GUEST, MATRIX, RUN, Cell, Guest, Line, Matrix, Row, Run, save
from rig.errors import RigError
from rig.journal import Entry, Journal
from rig.report import trace
from rig.report.mail import COLUMNS, mail
from rig.verdict.verdict import Note, NoteKind
from tests.unit.test_bundle import INPUTS

SENTENCE = "panthor read its firmware from a heap \x1b[2J that " + "is not the one named " * 6
ROWS = [
    Row("a/good", "PASS", "", None, 1.0, {}, None),
    Row("a/bad", "FAIL", SENTENCE, "ASSERT", 1.0, {}, None,
        [Note(NoteKind.INTEGRATION, "the heap never comes")]),
    Row("a/other", "NOT_APPLICABLE", "needs another contract", None, 0.0, {}, None),
    Row("a/broken", "ERROR", "the disk is full", "INFRA", 0.0, {}, None),
]  # fmt: skip


def run_in(folder: Path, rows: list[Row]) -> Path:
    argv = ["rig", "run", "--kernel", "/src/my linux"]
    save(folder / RUN, Run(argv, 0.0, INPUTS, [row.scenario for row in ROWS], rows))
    return folder


def test_a_run_as_mail(tmp_path: Path) -> None:
    text = mail(run_in(tmp_path, ROWS))
    lines = text.splitlines()
    assert lines[0] == "panthor-rig: 1 failed, 1 not judged, 1 passed, 1 skipped"
    assert lines.index("FAIL ASSERT a/bad") < lines.index("ERROR INFRA a/broken")
    assert lines.index("ERROR INFRA a/broken") < lines.index("PASS:")
    assert "a/other" in text
    assert "INTEGRATION: the heap never comes" in text
    assert INPUTS.build_id in text
    assert text.endswith("Again:\n  rig run --kernel '/src/my linux'\n")
    assert "\x1b" not in text
    assert max(len(line) for line in lines if "/src" not in line) <= COLUMNS
    told = " ".join(text.split())
    assert " ".join(SENTENCE.replace("\x1b", "\\x1b").split()) in told


def test_what_was_not_finished_is_told(tmp_path: Path) -> None:
    text = mail(run_in(tmp_path, ROWS[:1]))
    assert "not finished: a/bad, a/other, a/broken" in text


def test_a_matrix_as_mail(tmp_path: Path) -> None:
    cells = [
        Cell("a/x", "FAIL", "no defer", "PROBE", fresh=True),
        Cell("a/y", "PASS", "", None, wanted="FAIL", good=False),
    ]
    line = Line("2", "fail the probe for good", cells)
    save(tmp_path / MATRIX, Matrix("series", "v1 on Linux", ["rig", "series"], 0.0, [line]))
    text = mail(tmp_path)
    assert "2: fail the probe for good\n  FAIL PROBE a/x (new)\n    no defer\n" in text
    assert "  PASS a/y (wanted FAIL)\n" in text


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="is no run"):
        mail(tmp_path)
    with pytest.raises(RigError, match="no guest was started"):
        trace.write(tmp_path, tmp_path / "t.json")


def test_the_trace_has_every_mark(tmp_path: Path) -> None:
    guest = tmp_path / "a.b"
    guest.mkdir()
    book = Journal(guest / "journal.jsonl")
    book.add(Entry(10**9, "anchor", "0"))
    book.add(Entry(3 * 10**9, "step", "true", 0.25, data={"channel": "agent"}))
    book.close()
    (guest / "gpu-events.jsonl").write_text('{"seq":0,"vns":5000000,"ev":"mcu-halt"}\n')
    save(guest / GUEST, Guest("a/b", "f.py", "direct", {}, 512, 2, outcome="PASS"))
    path = tmp_path / "trace.json"
    assert trace.write(tmp_path, path) == len(json.loads(path.read_text())["traceEvents"])
    events = json.loads(path.read_text())["traceEvents"]
    (halt,) = [event for event in events if event["name"].startswith("mcu-halt")]
    assert (halt["ph"], halt["ts"]) == ("i", 5000.0)
    (step,) = [event for event in events if event["ph"] == "X"]
    assert (step["ts"], step["dur"]) == (2e6, 0.25e6)
    names = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"kernel", "gpu", "step"} <= names
    assert {e["tid"] for e in events if e["ph"] != "M"} <= {
        e["tid"] for e in events if e["ph"] == "M"
    }
    assert msgspec.json.decode(path.read_bytes())["displayTimeUnit"] == "ms"
