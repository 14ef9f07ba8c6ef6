# SPDX-License-Identifier: MIT
"""What a kernel log proves: oopses, sanitizer reports, hangs, a wedged GPU.

Only lines with the kernel's timestamp count, wherever they start: the console is
shared with a shell that may print anything. A log without any timestamp is
looked at whole. The rules are tables (`klog_rules`, `panthor_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rig.errors import FailureClass
from rig.verdict.klog_allowed import ALLOWED, UNKNOWN, WARN
from rig.verdict.klog_rules import KERNEL_RULES
from rig.verdict.panthor_rules import PANTHOR_RULES
from rig.verdict.rule import Rule

RULES = (*KERNEL_RULES, *PANTHOR_RULES)
MAX_REPORT_LINES = 120
CUT_HERE = "------------[ cut here ]------------"
MAX_PREAMBLE = 4
"""WARN() prints its own text between the cut and the line that the rules know."""
KERN_FACILITY_END = 8
"""The facility stands above the level's three bits; the kernel's own is 0."""

_HEADER = re.compile(r"(?:<(?P<level>\d{1,3})>)?\[[ \d]{4}\d{1,8}\.\d{6}\](?:\[ *[TC]\d+\])? ?")
_DEVICE = re.compile(r"^\S+ \S+: (?:\[drm\] )?")
"""What dev_warn() and drm_WARN() put before their text: the driver and the device."""
_NOISE = (
    (re.compile(r"\b0x[\da-f]+\b", re.IGNORECASE), "0x?"),
    (re.compile(r"\b[\da-f]{8,}\b"), "?"),
    (re.compile(r"\+0x\?/0x\?"), ""),
    (re.compile(r"\bpid[=: ]\d+", re.IGNORECASE), "pid ?"),
    (re.compile(r"(?<=[\w\]])/\d+\b"), "/?"),
    (re.compile(r"\bCPU#?\d+\b"), "CPU?"),
)


@dataclass(frozen=True)
class Expected:
    """A line that a scenario provokes: it must be there exactly `count` times.

    `count` None gives leave and demands nothing, because a verdict must not depend on
    the words of one driver; it never excuses an oops. With `between`, only lines after
    the first and before the second text count (to the log's end while that is missing).
    """

    regex: str
    count: int | None = 1
    between: tuple[str, str] | None = None


@dataclass(frozen=True)
class Finding:
    """One report in the log."""

    rule: str
    title: str
    """What happened, without addresses and pids."""
    lines: tuple[str, ...]
    """The report, without timestamps."""
    first_line_no: int
    """Where it starts in the log, counted from 1; 0 for what is missing there."""
    failure: FailureClass

    @property
    def signature(self) -> str:
        """Equal for two findings that are the same defect."""
        return f"{self.rule}: {self.title}"


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    kernel: bool
    level: int | None = None
    """printk's level, 0 to 7; None where the console does not show it."""


@dataclass
class _Report:
    """A finding that is being collected."""

    rule: Rule
    groups: dict[str, str]
    trigger: str
    lines: list[_Line] = field(default_factory=list)

    def finding(self) -> Finding:
        groups = {**dict.fromkeys(re.findall(r"{(\w+)}", self.rule.title), "?"), **self.groups}
        if self.rule.where is not None:
            for line in self.lines:
                if match := self.rule.where.search(line.text):
                    groups |= _filled(match)
                    break
        title = normalise(self.rule.title.format_map(groups))
        lines = tuple(line.text for line in self.lines)
        return Finding(self.rule.name, title, lines, self.lines[0].number, self.rule.failure)

    def wants(self, line: _Line) -> bool:
        """Whether `line` is this report's although a rule would start at it."""
        mine = (self.rule.context, self.rule.end)
        return any(pattern.search(line.text) for pattern in mine if pattern is not None)

    def ends(self, line: _Line) -> bool:
        if self.rule.end is None:
            return not self.wants(line)
        return bool(self.rule.end.search(line.text)) or len(self.lines) >= MAX_REPORT_LINES


def normalise(text: str) -> str:
    """Text without what differs from run to run: addresses, pids, CPU numbers."""
    for pattern, replacement in _NOISE:
        text = pattern.sub(replacement, text)
    return text.strip()


def scan(text: str, expected: Sequence[Expected] = ()) -> list[Finding]:
    """All findings of a console log, in its order, without what `expected` declares.

    An expected line excuses the report that it triggers. One that is there more
    or less often than declared is a finding itself (rule `expected`, ASSERT), last.
    """
    lines = _lines(text)
    leaves = [_Leave.of(item, lines) for item in expected]
    reports = _reports(lines)
    told = {line.number for report in reports for line in report.lines}
    reports += _unknown(line for line in lines if line.number not in told)
    found = [
        report.finding()
        for report in sorted(reports, key=lambda report: report.lines[0].number)
        if not any(leave.excuses(report) for leave in leaves)
    ]
    return found + list(_miscounted(lines, leaves))


@dataclass(frozen=True)
class _Leave:
    """An `Expected`, and the lines of a log that it is about."""

    item: Expected
    pattern: re.Pattern[str]
    first: int
    last: int

    @classmethod
    def of(cls, item: Expected, lines: Sequence[_Line]) -> _Leave:
        first, last = 0, len(lines)
        if item.between is not None:
            begin, end = (_number_of(mark, lines) for mark in item.between)
            first, last = begin or last + 1, end or last
        return cls(item, re.compile(item.regex), first, last)

    def matches(self, line: _Line, text: str) -> bool:
        return self.first <= line.number <= self.last and bool(self.pattern.search(text))

    def excuses(self, report: _Report) -> bool:
        if self.item.count is None and report.rule.failure is FailureClass.OOPS:
            return False
        return self.matches(report.lines[0], report.trigger)


def _number_of(mark: str, lines: Iterable[_Line]) -> int:
    """Number of the kernel's line with `mark`, 0 without one: what a shell echoes is none."""
    return next((line.number for line in lines if line.kernel and mark in line.text), 0)


def _unknown(lines: Iterable[_Line]) -> list[_Report]:
    """Warnings of the code under test that no rule knows and nobody gave leave."""
    return [
        _Report(UNKNOWN, _filled(match), line.text, [line])
        for line in lines
        if line.kernel and line.level is not None and line.level <= WARN
        if (match := UNKNOWN.start.search(line.text))
        if not any(allowed.pattern.search(line.text) for allowed in ALLOWED)
    ]


def _lines(text: str) -> list[_Line]:
    """Lines without `\\r` and timestamp; what a shell printed before the stamp is dropped."""
    raw = text.replace("\r", "").split("\n")
    headers = [_HEADER.search(line) for line in raw]
    if not any(headers):
        return [_Line(number, line, True) for number, line in enumerate(raw, 1)]
    return [
        _Line(number, line[header.end() :], True, _level(header))
        if header
        else _Line(number, line, False)
        for number, (line, header) in enumerate(zip(raw, headers, strict=True), 1)
    ]


def _level(header: re.Match[str]) -> int | None:
    """None for what came through /dev/kmsg: a program's lines never have facility 0."""
    number = int(header["level"] or KERN_FACILITY_END)
    return number if number < KERN_FACILITY_END else None


def _reports(lines: Iterable[_Line]) -> list[_Report]:
    reports: list[_Report] = []
    current: _Report | None = None
    preamble: list[_Line] = []
    for line in lines:
        fresh = None if current and current.wants(line) else _start(line, preamble)
        if fresh is not None:
            reports.append(fresh)
            current, preamble = fresh, []
            if fresh.rule.end is None and fresh.rule.context is None:
                current = None
        elif not line.kernel:
            continue
        elif line.text == CUT_HERE or (preamble and len(preamble) < MAX_PREAMBLE):
            current = current if line.text != CUT_HERE else None
            preamble = [line] if line.text == CUT_HERE else [*preamble, line]
        else:
            preamble = []
        if current is not None and fresh is None:
            current.lines.append(line)
            if current.ends(line):
                current = None
    return reports


def _start(line: _Line, preamble: list[_Line]) -> _Report | None:
    """The report that begins at `line`, its preamble included."""
    for rule in RULES:
        if (line.kernel or rule.bare) and (match := rule.start.search(line.text)):
            before = [earlier.text for earlier in preamble[1:]]
            said = ": " + _DEVICE.sub("", before[0]) if before else ""
            groups = {"said": said, **_filled(match)}
            report = _Report(rule, groups, "\n".join([*before, line.text]))
            report.lines = [*preamble, line]
            return report
    return None


def _filled(match: re.Match[str]) -> dict[str, str]:
    """Named groups that took part in the match; the others read as nothing."""
    return {name: value or "" for name, value in match.groupdict().items()}


def _miscounted(lines: Sequence[_Line], leaves: Sequence[_Leave]) -> Iterable[Finding]:
    for leave in leaves:
        seen = [line for line in lines if line.kernel and leave.matches(line, line.text)]
        wanted = leave.item.count
        if wanted is not None and len(seen) != wanted:
            title = f"expected {wanted} x /{leave.item.regex}/, seen {len(seen)}"
            first = seen[0].number if seen else 0
            texts = tuple(line.text for line in seen)
            yield Finding("expected", title, texts, first, FailureClass.ASSERT)
