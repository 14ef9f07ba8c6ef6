# SPDX-License-Identifier: MIT
"""What the secure UART's log proves: boot, lent memory, panics and errors.

TF-A and OP-TEE print there (OP-TEE at log level 3), Linux never does. Formats:
OP-TEE 4.10 trace.c, panic.c, assert.c, abort.c, mobj_dyn_shm.c, tzc400.c; TF-A
2.12 crash_reporting.S. Each rule is proved by a golden log of a real boot, or
where that cannot be had yet, of the format in the source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rig.errors import FailureClass
from rig.verdict.klog import Expected, Finding, normalise
from rig.verdict.rule import Rule, rule

_TEE = FailureClass.TEE_PANIC
_ERROR = FailureClass.ASSERT

_DUMP = (
    r"^E/TC:\S* \S* *(?:Panic |TEE load address|Call stack:|0x[\da-f]+$|esr 0x|cpu #"
    r"|x\d+ +[\da-f]{8}|sp_el0 |assertion failed)"
)
_REGISTERS = r"^\w+ +=? ?0x[\da-f]+$|^gicd_|^Offset|^0x[\da-f]+:"

RULES = (
    rule(
        "assert",
        _TEE,
        r"^E/TC:.*assertion '(?P<what>.*)' failed at (?P<where>\S+)",
        "OP-TEE: assertion `{what}` failed at {where}",
        context=_DUMP,
    ),
    rule(
        "abort",
        _TEE,
        r"^E/TC:.*(?P<mode>Core|User mode) (?P<kind>[\w-]+)-abort at address 0x[\da-f]+(?P<why>.*)",
        "OP-TEE: {mode} {kind} abort{why}",
        context=_DUMP,
    ),
    rule(
        "panic",
        _TEE,
        r"^E/TC:.*\bPanic(?: '(?P<what>.*?)')?(?: at (?P<where>\S+))?",
        "OP-TEE: panic '{what}' at {where}",
        context=_DUMP,
    ),
    rule(
        "el3",
        _TEE,
        r"(?P<what>Unhandled Exception|PANIC)(?: in EL3| from lower EL|(?= at PC))",
        "TF-A: {what} in EL3",
        context=_REGISTERS,
    ),
    rule(
        "firewall",
        FailureClass.MODEL_VIOLATION,
        r"^E/TC:.*(?P<kind>Permission|Overlap|Overrun) violation on filter",
        "firewall: {who}",
        context=r"Violation @0x",
        where=r"Violation @0x[\da-f]+, (?P<who>[^,]+)",
    ),
    rule(
        "error",
        _ERROR,
        r"^E/(?P<who>\w+):(?!\S* *[\d?]* *$)(?:\S+ +)? *(?:[\d?]+ +)?(?P<what>\S.*)",
        "{who}: {what}",
    ),
    rule("tfa-error", _ERROR, r"^ERROR: +(?P<what>\S.*)", "TF-A: {what}"),
)

_LEND = re.compile(
    r"^D/TC:.*\b(?P<what>protect|restore)_mem:\d+ use_case (?P<use>\d+)"
    r" pa (?P<pa>0x[\da-f]+|0), size (?P<size>0x[\da-f]+|0)$"
)
_REFUSED = re.compile(r"^E/TC:.*\bplat_set_protmem_range:\d+ ")
_BANNER = re.compile(
    r"^(?:NOTICE: +(?P<stage>BL\d+): (?P<version>v\S+)|I/TC: OP-TEE version: (?P<tee>.+))$"
)
# What TF-A calls an error is an orderly end. QEMU stops a moment later, so that the
# panic() behind it may be printed or not.
_ENDING = re.compile(r"^ERROR: +QEMU System (?:Power off|Reset): with GPIO")
_RESET = re.compile(r"^NOTICE: +Booting Trusted Firmware")
_BOOTED = re.compile(r"^I/TC: Primary CPU switching to normal world boot")


@dataclass(frozen=True)
class Lend:
    """Linux lends memory: from here on it is protected."""

    pa: int
    size: int
    use_case: int
    line: int
    """In the log, counted from 1."""
    refused: bool = False
    """OP-TEE said right behind it that it could not protect the range."""


@dataclass(frozen=True)
class Reclaim:
    """Linux takes lent memory back: open to everybody again."""

    pa: int
    size: int
    use_case: int
    line: int


@dataclass(frozen=True)
class Banner:
    """A boot stage that said its version: BL1, BL2, BL31, OP-TEE."""

    stage: str
    version: str
    line: int


@dataclass(frozen=True)
class SecureLog:
    """A parsed log. After a reset of the machine, memory lent before is no longer lent."""

    events: tuple[Lend | Reclaim, ...]
    """In the order of the log."""
    outstanding: tuple[Lend, ...]
    """Lent and not taken back, in order."""
    findings: tuple[Finding, ...]
    banners: tuple[Banner, ...]
    complete: bool
    """OP-TEE finished its start (of the last boot in the log)."""

    @property
    def lends(self) -> tuple[Lend, ...]:
        """All that were granted."""
        return tuple(e for e in self.events if isinstance(e, Lend) and not e.refused)

    @property
    def reclaims(self) -> tuple[Reclaim, ...]:
        """All."""
        return tuple(e for e in self.events if isinstance(e, Reclaim))

    @property
    def balance(self) -> int:
        """Bytes lent now."""
        return sum(lend.size for lend in self.outstanding)


@dataclass
class _Report:
    rule: Rule
    first: int
    booted: bool
    lines: list[str]

    def finding(self) -> Finding:
        match = self.rule.start.search(self.lines[0])
        groups = dict.fromkeys(re.findall(r"{(\w+)}", self.rule.title), "?")
        for found in (match, self._where()):
            if found is not None:
                groups |= {k: v for k, v in found.groupdict().items() if v is not None}
        title = normalise(self.rule.title.format_map(groups))
        failure = self.rule.failure if self.booted else FailureClass.FIRMWARE
        return Finding(self.rule.name, title, tuple(self.lines), self.first, failure)

    def _where(self) -> re.Match[str] | None:
        if self.rule.where is None:
            return None
        return next((m for m in map(self.rule.where.search, self.lines) if m), None)


@dataclass
class _Parser:
    """One pass over the lines."""

    events: list[Lend | Reclaim] = field(default_factory=list)
    outstanding: list[Lend] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    banners: list[Banner] = field(default_factory=list)
    booted: bool = False
    ending: bool = False
    report: _Report | None = None

    def line(self, number: int, text: str) -> None:
        if self._continues(text):
            return
        self.close()
        if _ENDING.search(text):
            self.ending = True
        elif _RESET.search(text):
            self.booted = self.ending = False
            self.outstanding.clear()
        if self.ending:
            return
        started = next((r for r in RULES if r.start.search(text)), None)
        if started is not None:
            self.report = _Report(started, number, self.booted, [text])
            if _REFUSED.search(text):
                self._refuse()
        elif match := _LEND.search(text):
            self._moved(match, number)
        elif match := _BANNER.search(text):
            stage = match["stage"] or "OP-TEE"
            self.banners.append(Banner(stage, match["version"] or match["tee"], number))
        elif _BOOTED.search(text):
            self.booted = True

    def close(self) -> None:
        if self.report is not None:
            self.findings.append(self.report.finding())
            self.report = None

    def _continues(self, text: str) -> bool:
        context = self.report.rule.context if self.report else None
        if self.report is None or context is None or not context.search(text):
            return False
        self.report.lines.append(text)
        return True

    def _moved(self, match: re.Match[str], number: int) -> None:
        pa, size, use = int(match["pa"], 16), int(match["size"], 16), int(match["use"])
        clashes = [o for o in self.outstanding if o.pa < pa + size and pa < o.pa + o.size]
        if match["what"] == "protect":
            lend = Lend(pa, size, use, number)
            self.events.append(lend)
            if clashes:
                self._odd("lent-twice", "memory lent that was lent already", match[0], number)
            self.outstanding.append(lend)
        else:
            self.events.append(Reclaim(pa, size, use, number))
            if [(o.pa, o.size) for o in clashes] != [(pa, size)]:
                self._odd("not-lent", "memory taken back that was not lent", match[0], number)
        if match["what"] == "restore" or clashes:
            self.outstanding = [o for o in self.outstanding if o not in clashes]

    def _odd(self, name: str, title: str, text: str, number: int) -> None:
        self.findings.append(Finding(name, f"OP-TEE: {title}", (text,), number, _ERROR))

    def _refuse(self) -> None:
        """The hook runs right behind the line that announces it."""
        last = self.events[-1] if self.events else None
        if isinstance(last, Lend) and last in self.outstanding:
            self.outstanding.remove(last)
            self.events[-1] = replace(last, refused=True)


def parse(text: str, expected: Sequence[Expected] = ()) -> SecureLog:
    """Read a whole log, or what there is of it so far.

    A last line without its end is not looked at for lent memory: its numbers may
    be cut. Findings that `expected` declares are left out; one that is there
    more or less often is a finding itself (rule `expected`).
    """
    lines = text.replace("\r", "").split("\n")
    parser = _Parser()
    for number, line in enumerate(lines[:-1], 1):
        parser.line(number, line)
    if lines[-1] and not _LEND.search(lines[-1]):
        parser.line(len(lines), lines[-1])
    parser.close()
    return SecureLog(
        tuple(parser.events),
        tuple(parser.outstanding),
        tuple(_judged(parser.findings, expected)),
        tuple(parser.banners),
        parser.booted,
    )


def _judged(findings: Sequence[Finding], expected: Sequence[Expected]) -> list[Finding]:
    """`findings` without the declared ones, and what was declared wrongly."""
    wrong: list[Finding] = []
    excused: set[int] = set()
    for item in expected:
        hits = [i for i, f in enumerate(findings) if re.search(item.regex, f.lines[0])]
        excused.update(hits)
        if len(hits) != item.count:
            title = f"expected {item.count} x /{item.regex}/, seen {len(hits)}"
            texts = tuple(findings[i].lines[0] for i in hits)
            first = findings[hits[0]].first_line_no if hits else 0
            wrong.append(Finding("expected", title, texts, first, _ERROR))
    return [f for i, f in enumerate(findings) if i not in excused] + wrong
