# SPDX-License-Identifier: MIT
"""The HTML page: hostile logs stay text, the reason comes first, one clock for all sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig import bundle
from rig.errors import FailureClass, RigError
from rig.journal import Entry, Journal
from rig.report import html
from rig.report.timeline import printable, timeline
from rig.verdict.verdict import Outcome, Verdict
from tests.unit.test_bundle import INPUTS

HOSTILE = "</script><script>alert(1)</script><img src=x>\x1b[2J\u202e"
S = 1_000_000_000


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    guest = tmp_path / "a.b"
    guest.mkdir()
    book = Journal(guest / "journal.jsonl")
    book.add(Entry(90 * S, "qmp", "cont"))
    book.add(Entry(92 * S, "printk", "1.500000"))  # arrives at virtual 2.0: the offset is 0.5
    book.add(Entry(93 * S, "secure", "", data={"size": 6}))
    book.add(Entry(94 * S, "step", f"echo {HOSTILE}", 0.5, data={"channel": "agent", "status": 1}))
    book.add(Entry(94 * S + 1, "step", f"echo {HOSTILE}", data={"channel": "agent", "status": 1}))
    book.add(Entry(100 * S, "anchor", str(10 * S)))
    book.close()
    (guest / "console.log").write_text(f"rig: ready\r\n[    3.000000] {HOSTILE}\r\n")
    (guest / "secure.log").write_text("I/TC:\nI/TC: second\n")
    (guest / "gpu-events.jsonl").write_text('{"seq":0,"vns":5000000000,"ev":"mcu-halt"}\n')
    verdicts = [
        Verdict("a/a", Outcome.PASS),
        Verdict("a/b", Outcome.FAIL, HOSTILE, FailureClass.OOPS, run_dir=guest),
    ]
    bundle.finish(bundle.Run(["rig"], 0.0, INPUTS, ["a/a", "a/b", "a/c"]), tmp_path, verdicts, 1.0)
    return tmp_path


def test_all_sources_are_on_one_clock(run_dir: Path) -> None:
    found = {(m.source, round(m.vns / S, 1)) for m in timeline(run_dir / "a.b")}
    assert ("kernel", 3.5) in found
    assert ("gpu", 5.0) in found
    assert ("secure", 3.0) in found
    assert [m.vns // S for m in timeline(run_dir / "a.b") if m.source == "step"] == [4]


def test_nothing_of_a_log_becomes_markup(run_dir: Path) -> None:
    page = html.write(run_dir).read_text()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script>") == 1
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_failure_comes_first_and_what_was_not_finished_is_said(run_dir: Path) -> None:
    page = html.render(run_dir)
    assert page.index("<td>a/b</td>") < page.index("<td>a/a</td>")
    assert "Not finished: a/c" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_matrix_is_shown(run_dir: Path) -> None:
    cell = bundle.Cell("a/b", "PASS", "", None, wanted="FAIL", good=False)
    lines = [bundle.Line("m1", "forgets <it>", [cell])]
    bundle.save(run_dir / bundle.MATRIX, bundle.Matrix("teeth", "t", ["rig"], 0.0, lines))
    page = html.render(run_dir)
    assert "forgets &lt;it&gt;" in page
    assert "wanted FAIL" in page


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="no run of this rig"):
        html.render(tmp_path)


def test_control_characters_become_visible() -> None:
    assert printable("a\x1b[31m\tb") == "a\\x1b[31m\tb"
