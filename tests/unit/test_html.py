# SPDX-License-Identifier: MIT
"""The HTML page: hostile logs stay text, the reason comes first, one clock for all sources."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from rig import bundle
from rig.errors import FailureClass, RigError
from rig.gpu.events import EventLog
from rig.journal import Entry, Journal
from rig.report import html, memory
from rig.report.history import WHOLE, timings
from rig.report.timeline import SOURCES, printable, timeline
from rig.verdict.verdict import Outcome, Verdict
from tests import reports
from tests.reports import HEAP, HOSTILE, S
from tests.unit.test_bundle import INPUTS


def data_of(page: str) -> list[dict[str, Any]]:
    """What the page's script gets, guest by guest."""
    found = re.findall(r'<script type="application/octet-stream" id="dg[-0-9]+">([^<]*)<', page)
    return [json.loads(zlib.decompress(base64.b64decode(one))) for one in found]


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
    (guest,) = data_of(page)
    assert any("</script>" in row[4] for row in guest["rows"])
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_failure_comes_first_and_what_was_not_finished_is_said(run_dir: Path) -> None:
    page = html.render(run_dir)
    assert page.index(">a/b</a></th>") < page.index(">a/a</th>")
    assert "Not finished: a/c" in page
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", page)


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


def test_the_script_gets_the_whole_time_line(tmp_path: Path) -> None:
    guest = reports.guest(tmp_path / "run" / "a.b", 200)
    marks = timeline(guest)
    assert {mark.source for mark in marks} == {"driver", "kernel", "gpu", "firewall", "step", "qmp"}
    folder = tmp_path / "run"
    verdict = Verdict("a/b", Outcome.PASS, run_dir=guest)
    bundle.finish(bundle.Run(["rig"], 0.0, INPUTS, ["a/b"]), folder, [verdict], 1.0)
    (data,) = data_of(html.render(folder))
    assert data["sources"] == list(SOURCES)
    assert [(row[0], SOURCES[row[1]], bool(row[2] & 2), row[4]) for row in data["rows"]] == [
        (round(mark.vns / 1000), mark.source, mark.bad, mark.text) for mark in marks
    ]


def test_what_lay_where_and_when(tmp_path: Path) -> None:
    guest = reports.guest(tmp_path / "g", 10)
    found = memory.areas(EventLog(guest / "gpu-events.jsonl").read())

    def at(number: int) -> int:
        return S + number * (10 * S // 11) // 2

    told = {(a.kind, a.name, a.state): (a.begin, a.end) for a in found}
    assert told["protected section", "prot", ""] == (at(1), None)
    assert told["suspend buffer", "slot 0", "on a slot"] == (at(3), None)
    assert told["protected suspend buffer", "slot 1", "on a slot"] == (at(4), at(6))
    assert told["protected suspend buffer", "slot 1", "saved"] == (at(6), None)
    assert told["suspend buffer", "slot 2", "on a slot"] == (at(5), at(7))
    (zone,) = memory.zones(EventLog(guest / "firewall-events.jsonl").read())
    assert (zone.base, zone.size, zone.access) == (HEAP, 16 << 20, "GPU in protected mode: rw")
    low, high = memory.windows(found, [zone])
    assert low[1] < high[0] <= HEAP
    assert memory.peak(found) == at(6)


def test_a_slow_stage_is_found_beside_earlier_runs(tmp_path: Path) -> None:
    reports.earlier(tmp_path, 5, 3.0)
    folder = reports.run(tmp_path / "9")
    found = timings(folder, bundle.load(folder / bundle.RUN, bundle.Run))
    assert [(t.what, t.stage, t.slow) for t in found][:2] == [
        ("a/b", "scenario", True),
        (WHOLE, "build", False),
    ]
    assert found[0].usual == pytest.approx(3.02)
    assert [t.earlier for t in found if t.stage == "total"] == [()]  # they had other scenarios
    assert "1 slower than usual" in html.render(folder)


def test_a_cell_of_a_matrix_leads_to_its_guest(tmp_path: Path) -> None:
    page = html.render(reports.series(tmp_path / "s"))
    assert re.search(r'<a href="#g0-0"><span class="FAIL">FAIL OOPS</span></a> <strong>new', page)
    assert '<details class="guest" id="g0-0" open>' in page
    assert "UNCHECKED</strong> not looked at" in page
