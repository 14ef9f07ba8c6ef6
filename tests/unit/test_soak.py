# SPDX-License-Identifier: MIT
"""The ledger of a soak: it goes on after a stop, and what counts against the rig."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import INFRA_IN, Ledger, judged


def row(outcome: str, *, busy: bool = False) -> dict[str, str | float]:
    return {"round": 0, "busy": busy, "scenario": "a/b", "outcome": outcome, "sentence": "s",
            "seconds": 1.0, "logs": "/l"}  # fmt: skip


def test_a_row_that_a_kill_cut_off_is_run_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.add(row("PASS"))
    ledger.add(row("NOT_APPLICABLE"))
    with ledger.path.open("a") as file:
        file.write('{"round": 1, "busy"')
    again = Ledger.at(ledger.path)
    assert again.rows == ledger.rows
    assert again.runs == 1
    again.add(row("FAIL"))
    assert [one["outcome"] for one in Ledger.at(ledger.path).rows] == [
        "PASS", "NOT_APPLICABLE", "FAIL",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "leaks", "code"),
    [
        ([row("PASS"), row("NOT_APPLICABLE")], [], 0),
        ([row("PASS")], ["/tmp/x"], 1),
        ([row("FAIL")], [], 1),
        ([row("FLAKE", busy=True)], [], 1),
        ([row("ERROR")], [], 1),
        ([row("ERROR", busy=True)] + [row("PASS", busy=True)] * (INFRA_IN - 1), [], 0),
        ([row("ERROR", busy=True)] + [row("PASS", busy=True)] * (INFRA_IN - 2), [], 1),
    ],
)
def test_what_counts(
    tmp_path: Path, rows: list[dict[str, str | float]], leaks: list[str], code: int
) -> None:
    assert judged(Ledger(tmp_path / "l", rows), leaks) == code
