# SPDX-License-Identifier: MIT
"""Folders of runs as they are left behind, of any size: what reports are made of in tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rig import bundle, tested
from rig.errors import FailureClass
from rig.journal import Entry, Journal
from rig.teeth import load
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict

S = 1_000_000_000
HOSTILE = "</script><script>alert(1)</script><img src=x>\x1b[2J\u202e"
INPUTS = tested.Inputs(
    "0.1", "t" * 40, "Linux 7.3", "heap-name", "why", "b" * 40, [], "g610", {}, False,
    dict.fromkeys(tested.PARTS, "k" * 20), [],
)  # fmt: skip
HEAP = 0x5DD00000
"""Where the protected memory of these guests lies."""


def guest(folder: Path, lines: int) -> Path:
    """A guest's folder with about `lines` kernel lines and as many events, over 10 s."""
    folder.mkdir(parents=True)
    book = Journal(folder / "journal.jsonl")
    book.add(Entry(90 * S, "qmp", "cont"))
    book.add(Entry(90 * S, "printk", "0.000000"))
    book.add(Entry(92 * S, "step", f"echo {HOSTILE}", 2.0, data={"channel": "ssh", "status": 1}))
    book.add(Entry(100 * S, "anchor", str(10 * S)))
    book.close()
    gap = 10 * S // (lines + 1)
    with (folder / "console.log").open("w") as log:
        for number in range(lines):
            who = "panthor b000000.gpu: [drm] line" if number % 10 == 0 else "some line"
            log.write(
                f"[{number * gap / S:12.6f}] {who} {number} {HOSTILE if not number else ''}\n"
            )
        log.write("[   10.000000] BUG: sleeping function called from invalid context at x.c:1\n")
    with (folder / "gpu-events.jsonl").open("w") as log:
        for number, (kind, fields) in enumerate(_events(lines)):
            row = {"seq": number, "vns": S + number * gap // 2, "ev": kind, **fields}
            log.write(json.dumps(row) + "\n")
    region = {
        "seq": 0,
        "vns": S // 2,
        "ev": "region",
        "region": 1,
        "on": True,
        "base": HEAP,
        "top": HEAP + (16 << 20) - 1,
        "secure_perm": "rw",
        "id_access": 1 << 9 | 1 << 25,
    }
    (folder / "firewall-events.jsonl").write_text(json.dumps(region) + "\n")
    return folder


def _events(count: int) -> Iterator[tuple[str, dict[str, object]]]:
    for name, va, prot, base in (
        ("text", 0x800000, False, 0x44000000),
        ("prot", 0x3000000, True, HEAP),
    ):
        yield "section", {"name": name, "va": va, "size": 1 << 18, "flags": 0, "prot": prot,
                          "mapped": True, "perm": "rw", "extents": [[base, 1 << 18]],
                          "content": "ok"}  # fmt: skip
    yield "mcu-boot", {"ok": True, "boot": 1, "full": True, "version": 0}
    for csg in range(3):
        yield "csg-start", {
            "csg": csg, "as": 1, "prio": 1, "streams": 1,
            "suspend_va": 0x4000000 + csg * 0x10000, "suspend_mapped_size": 0x3000,
            "suspend_pa": [[0x44100000 + csg * 0x3000, 0x3000]],
            "protm_suspend_va": 0x5000000 + csg * 0x10000, "protm_mapped_size": 0x5000,
            "protm_suspend_pa": [[HEAP + 0x100000 + csg * 0x5000, 0x5000]],
        }  # fmt: skip
    yield "csg-suspend", {"csg": 1, "saved": True, "bytes": 64, "crc32": 1}
    yield "csg-terminate", {"csg": 2}
    for number in range(count):
        yield "ping", {"n": number}


def run(folder: Path, passed: int = 3, lines: int = 50) -> Path:
    """A run with one failure, one error and `passed` passes; the failure's guest is the big one."""
    note = Note(NoteKind.INTEGRATION, "the heap is not there")
    verdicts = [
        Verdict("a/b", Outcome.FAIL, HOSTILE, FailureClass.OOPS, 1.0,
                {"restore": 0.3, "scenario": 9.0}, guest(folder / "a.b", lines)),
        Verdict("a/e", Outcome.ERROR, "the disk is full", FailureClass.INFRA),
    ]  # fmt: skip
    for number in range(passed):
        name = f"c/pass-{number}"
        below = guest(folder / name.replace("/", "."), 20)
        stages = {"restore": 0.3, "scenario": 1.0 + number / 10}
        verdicts.append(
            Verdict(name, Outcome.PASS, "", None, 1.0, stages, below, (note,) * (number == 0))
        )
    wanted = [verdict.scenario for verdict in verdicts]
    begun = bundle.Run(["rig", "run"], 1e9, INPUTS, [*wanted, "z/open"], timings={"build": 2.0})
    bundle.finish(begun, folder, verdicts, 12.0)
    return folder


def earlier(runs: Path, count: int, seconds: float) -> None:
    """Runs before that one, in which a/b took `seconds`."""
    for number in range(count):
        folder = runs / f"0{number}"
        folder.mkdir(parents=True)
        verdicts = [Verdict("a/b", Outcome.FAIL, "", FailureClass.OOPS, seconds,
                            {"restore": 0.3, "scenario": seconds + number / 100})]  # fmt: skip
        bundle.finish(bundle.Run(["rig"], number, INPUTS, ["a/b"]), folder, verdicts, seconds)


def teeth(folder: Path) -> Path:
    """All rows of the table of mutants; one of them is not what it wants."""
    lines = []
    for number, mutant in enumerate(load()):
        pairs = [(name, "FAIL") for name in mutant.killers] + [
            (n, "PASS") for n in mutant.survivors
        ]
        cells = [
            bundle.Cell(name, outcome, "its sentence" if outcome == "FAIL" else "",
                        "ASSERT" if outcome == "FAIL" else None, wanted=outcome)
            for name, outcome in pairs
        ]  # fmt: skip
        if number == 2:
            cells[0].outcome, cells[0].failure, cells[0].good = "PASS", None, False
        lines.append(bundle.Line(mutant.name, mutant.finding, cells, run_s=1.5))
    folder.mkdir(parents=True)
    matrix = bundle.Matrix("teeth", "mutants", ["rig", "teeth"], 1e9, lines, 60.0)
    bundle.save(folder / bundle.MATRIX, matrix)
    return folder


def series(folder: Path) -> Path:
    """Eight patches, the fifth of which breaks something, and the run of that one."""
    folder.mkdir(parents=True)
    run(folder / "5", passed=1)
    lines = []
    for number in range(9):
        bad = number >= 5
        where = str(folder / "5" / "a.b") if number == 5 else None
        cells = [
            bundle.Cell("a/b", "FAIL" if bad else "PASS", "broken" if bad else "",
                        "OOPS" if bad else None, fresh=number == 5, reused=number > 5,
                        run_dir=where),
            bundle.Cell("c/pass-0", "NOT_APPLICABLE" if number < 2 else "PASS", "", None,
                        notes=[Note(NoteKind.UNCHECKED, "not looked at")] * (number == 3)),
        ]  # fmt: skip
        title = f"drm/panthor: Do <thing> number {number} with a subject that is rather long"
        lines.append(bundle.Line(str(number), title, cells, "heap-name", 12.0, 3.0))
    matrix = bundle.Matrix("series", "v5.mbox on Linux 7.3", ["rig", "series"], 1e9, lines, 99.0)
    bundle.save(folder / bundle.MATRIX, matrix)
    return folder
