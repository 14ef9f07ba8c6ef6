# SPDX-License-Identifier: MIT
"""The secure-log parser against golden logs: each log says what must be found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.errors import FailureClass
from rig.verdict.klog import Expected
from rig.verdict.seclog import RULES, Lend, Reclaim, SecureLog, parse

GOLDEN = Path(__file__).parent.parent / "golden" / "secure"
LOGS = sorted(GOLDEN.glob("*.log"))
LEND = "D/TC:0 0 protect_mem:572 use_case 1 pa 0x5dd00000, size 0x1000000\n"
BACK = "D/TC:0 0 restore_mem:580 use_case 1 pa 0x5dd00000, size 0x1000000\n"
START = "I/TC: Primary CPU switching to normal world boot\n"


def read(name: str) -> str:
    return (GOLDEN / f"{name}.log").read_bytes().decode()


def told(log: SecureLog) -> str:
    """The text of an .expect file."""
    rows = [
        f"{f.failure.label} {f.rule} {f.first_line_no} +{len(f.lines)} {f.title}\n"
        for f in log.findings
    ]
    lent = " ".join(f"{o.pa:#x}+{o.size:#x}" for o in log.outstanding) or "nothing"
    start = "complete" if log.complete else "incomplete"
    return "".join([*rows, f"lent: {lent}\n", f"start: {start}\n"])


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_golden_log(log: Path) -> None:
    assert told(parse(read(log.stem))) == log.with_suffix(".expect").read_text()


def test_every_rule_has_a_golden_log() -> None:
    proved = {finding.rule for log in LOGS for finding in parse(read(log.stem)).findings}
    assert proved == {rule.name for rule in RULES}


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_line_ends_do_not_matter(log: Path) -> None:
    assert parse(read(log.stem).replace("\r", "")) == parse(read(log.stem))


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_a_log_that_is_still_being_written_never_says_more(log: Path) -> None:
    """Cut anywhere, it has no lend or reclaim that the whole log does not have there."""
    text = read(log.stem)
    whole = parse(text)
    for end in range(0, len(text), 37):
        events = [(e.pa, e.size, e.line) for e in parse(text[:end]).events]
        assert events == [(e.pa, e.size, e.line) for e in whole.events][: len(events)]


def test_good_boot() -> None:
    log = parse(read("good"))
    assert [b.stage for b in log.banners] == ["BL1", "BL2", "BL31", "OP-TEE"]
    assert log.banners[0].version == "v2.12.1(release):panthor-rig"
    assert [type(e) for e in log.events] == [Lend, Reclaim] * 3
    assert {(e.pa, e.size, e.use_case) for e in log.events} == {(0x5DD00000, 16 << 20, 1)}
    assert (len(log.lends), len(log.reclaims), log.balance) == (3, 3, 0)
    assert log.events[0].line < log.events[1].line


def test_balance_of_a_held_buffer() -> None:
    log = parse(read("lent"))
    assert log.balance == 16 << 20
    assert log.outstanding == (log.lends[-1],)


def test_a_refused_lend_is_not_lent() -> None:
    log = parse(read("refused"))
    assert log.lends == ()
    assert [e.refused for e in log.events if isinstance(e, Lend)] == [True] * 4


def test_a_reset_ends_all_lending_and_starts_a_new_boot() -> None:
    log = parse(read("reboot"))
    assert [e.line for e in log.outstanding] == [213], "not that of the first boot"
    assert [b.stage for b in log.banners] == ["BL1", "BL2", "BL31", "OP-TEE"] * 2
    second = parse(read("reboot") + "NOTICE:  Booting Trusted Firmware\r\n")
    assert (second.complete, second.outstanding) == (False, ())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LEND + LEND, "lent-twice"),
        (BACK, "not-lent"),
        (LEND + BACK.replace("0x1000000", "0x100000"), "not-lent"),
        (LEND + BACK + BACK, "not-lent"),
    ],
)
def test_odd_bookkeeping_is_a_finding(text: str, rule: str) -> None:
    (found,) = parse(START + text).findings
    assert (found.rule, found.failure) == (rule, FailureClass.ASSERT)


def test_an_error_before_linux_is_a_failed_start() -> None:
    error = "E/TC:0   some_driver:12 no such device\n"
    assert [f.failure for f in parse(error).findings] == [FailureClass.FIRMWARE]
    assert [f.failure for f in parse(START + error).findings] == [FailureClass.ASSERT]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("E/TC:0 0 lend:12 out of memory", "TC: lend:12 out of memory"),
        ("E/TC:?   boot:1 hm", "TC: boot:1 hm"),
        ("E/TC:1 0 12 apostles", "TC: 12 apostles"),
        ("E/TA:  entry:10 bad parameter", "TA: entry:10 bad parameter"),
        ("E/LD:  init:7 lost", "LD: init:7 lost"),
    ],
)
def test_error_lines(line: str, title: str) -> None:
    (found,) = parse(START + line + "\n").findings
    assert (found.rule, found.title) == ("error", title)


def test_empty_error_line_is_no_finding() -> None:
    assert parse(START + "E/TC:0 0 \nE/TC:?   \n").findings == ()


def test_a_declared_error_is_excused_and_counted() -> None:
    error = START + "E/TC:0 0 lend:12 out of memory\n"
    assert parse(error, [Expected("out of memory")]).findings == ()
    (found,) = parse(error, [Expected("out of memory", 2)]).findings
    assert (found.rule, found.title) == ("expected", "expected 2 x /out of memory/, seen 1")
    (missing,) = parse(START, [Expected("out of memory")]).findings
    assert missing.first_line_no == 0


def test_empty_log() -> None:
    assert parse("") == SecureLog((), (), (), (), complete=False)
