# SPDX-License-Identifier: MIT
"""The kernel-log rules against golden logs: each log says what must be found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.errors import FailureClass
from rig.scenarios.terms import DRIVER_SAYS
from rig.verdict.klog import RULES, Expected, Finding, normalise, scan
from rig.verdict.klog_allowed import ALLOWED, UNKNOWN

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel"
LOGS = sorted(GOLDEN.glob("*.log"))


def read(name: str) -> str:
    return (GOLDEN / f"{name}.log").read_bytes().decode()


def told(found: list[Finding]) -> str:
    """The text of an .expect file: class, rule, first line and its number of lines, title."""
    return "".join(
        f"{f.failure.label} {f.rule} {f.first_line_no} +{len(f.lines)} {f.title}\n" for f in found
    )


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_golden_log(log: Path) -> None:
    assert told(scan(read(log.stem))) == log.with_suffix(".expect").read_text()


def test_every_rule_has_a_golden_log() -> None:
    proved = {
        line.split()[1] for f in GOLDEN.glob("*.expect") for line in f.read_text().splitlines()
    }
    assert proved == {rule.name for rule in (*RULES, UNKNOWN)}


def test_every_allowed_warning_has_a_golden_line() -> None:
    lines = read("allowed-warning").splitlines()
    assert [a.pattern.pattern for a in ALLOWED if not any(a.pattern.search(t) for t in lines)] == []


def test_a_warning_that_a_scenario_declares_is_no_finding() -> None:
    expected = [Expected("Unexpected magic"), Expected("shared memory")]
    assert scan(read("unknown-warning"), expected) == []


def test_every_pattern_has_a_golden_line() -> None:
    """Rows may share a name; each one must be the first to match some golden line."""
    winners = set()
    for log in LOGS:
        for line in read(log.stem).replace("\r", "").splitlines():
            text = line.split("] ", 1)[-1]
            winner = next((r for r in RULES if r.start.search(text)), None)
            winners.add(id(winner))
    assert [r.name for r in RULES if id(r) not in winners] == []


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_carriage_returns_and_caller_ids_change_nothing(log: Path) -> None:
    plain = read(log.stem)
    other = plain.replace("\r", "").replace("\n", "\r\n").replace("] ", "][  T118] ", 1)
    assert [f.signature for f in scan(other)] == [f.signature for f in scan(plain)]


def test_a_log_without_timestamps_is_read_whole() -> None:
    bare = "\n".join(line.split("] ", 1)[-1] for line in read("refcount").splitlines())
    assert [f.rule for f in scan(bare)] == ["refcount"]


def test_what_a_program_prints_is_no_finding() -> None:
    text = "[    1.000000] fine\nBUG: KASAN: printed by a script\nWARNING: so is this\n"
    assert scan(text) == []


def test_signature_is_free_of_addresses_pids_and_cpus() -> None:
    once, again = (
        read("bug").replace("CPU#0", f"CPU#{n}").replace("/57", f"/{n}9") for n in (1, 3)
    )
    assert [f.signature for f in scan(once)] == [f.signature for f in scan(again)]
    assert normalise("at ffff000004d1c010 pid=12, 0x1F f+0x1/0x2") == "at ? pid ?, 0x? f"


def test_a_declared_line_excuses_its_report() -> None:
    expected = [Expected(r"drm_WARN_ON\(ptdev->gpu->pending_reqs")]
    assert scan(read("warning"), expected) == []


def test_a_declared_line_in_a_report_excuses_nothing() -> None:
    """Only what triggers a report can excuse it: any line of a trace would excuse too much."""
    found = scan(read("warning"), [Expected("process_one_work")])
    assert [f.rule for f in found] == ["warning"]


@pytest.mark.parametrize(("count", "seen"), [(2, 1), (0, 1)])
def test_a_declared_line_must_appear_exactly_as_often(count: int, seen: int) -> None:
    found = scan(read("gpu-ping"), [Expected("FW ping timeout", count)])
    assert [(f.rule, f.failure) for f in found] == [("expected", FailureClass.ASSERT)]
    assert found[0].title == f"expected {count} x /FW ping timeout/, seen {seen}"


def test_a_declared_line_that_is_missing_is_a_finding() -> None:
    (found,) = scan("[    1.000000] quiet\n", [Expected("FW ping timeout")])
    assert found.first_line_no == 0
    assert "seen 0" in found.title


def test_a_declared_report_does_not_hide_another_inside_it() -> None:
    found = scan(read("two-reports"), [Expected("Unable to handle kernel paging request")])
    assert [f.rule for f in found] == ["kasan"]


WINDOW = """\
[    1.000000] panthor b000000.gpu: [drm] *ERROR* Flush caches timeout
[    2.000000] rig-mark-a
[    3.000000] panthor b000000.gpu: [drm] *ERROR* Flush caches timeout
[    4.000000] panthor b000000.gpu: probe with driver panthor failed with error -12
[    5.000000] panthor b000000.gpu: [drm] *ERROR* GPU Fault 0x00000088 (UNKNOWN) at 0x0
[    6.000000] rig-mark-b
[    7.000000] panthor b000000.gpu: [drm] *ERROR* Flush caches timeout
"""


@pytest.mark.parametrize(
    ("marks", "left"),
    [
        (("rig-mark-a", "rig-mark-b"), [1, 5, 7]),
        (("rig-mark-a", "missing"), [1, 5]),
        (("missing", "rig-mark-b"), [1, 3, 4, 5, 7]),
    ],
)
def test_leave_to_complain_holds_between_its_marks(marks: tuple[str, str], left: list[int]) -> None:
    found = scan(WINDOW, [Expected(DRIVER_SAYS, None, marks)])
    assert [finding.first_line_no for finding in found] == left


def test_leave_to_complain_demands_nothing_and_excuses_no_oops() -> None:
    assert scan("[    1.000000] quiet\n", [Expected(DRIVER_SAYS, None)]) == []
    assert [f.rule for f in scan(read("warning"), [Expected(r"drm_WARN_ON", None)])] == ["warning"]


def test_a_mark_that_a_shell_echoes_opens_no_window() -> None:
    text = "rig# echo rig-mark-a > /dev/kmsg\n" + WINDOW.replace("rig-mark-a", "nothing")
    found = scan(text, [Expected(DRIVER_SAYS, None, ("rig-mark-a", "rig-mark-b"))])
    assert len(found) == 5
