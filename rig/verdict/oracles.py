# SPDX-License-Identifier: MIT
"""What must be true behind every scenario, whatever it tested.

A pass needs the guest's explicit token, a clean kernel log, a clean secure log
and a device that saw no contract broken. Each is looked at from outside the
driver; an oracle that cannot look raises instead of passing.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rig.deadlines import COMMAND_S, scaled
from rig.errors import FailureClass, RigError
from rig.gpu.event_table import KNOWN_ISSUES
from rig.gpu.events import EventLog
from rig.guest.shell import LAST, GuestShell, sh
from rig.session import Session
from rig.verdict import firewall, frames, klog, kmemleak, seclog
from rig.verdict.signature import AFTER
from rig.verdict.verdict import Note, NoteKind

POLL_S = 0.02
SETTLE_S = 1.0
"""From OP-TEE's announcement of a lend to the firewall's event: microseconds."""
KMEMLEAK = "/sys/kernel/debug/kmemleak"
MIN_AGE_S = 5


@dataclass(frozen=True)
class Complaint:
    """One reason why a scenario did not pass."""

    failure: FailureClass
    sentence: str


def token(session: Session, shell: GuestShell) -> None:
    """Have the guest write a nonce to its kernel log and wait until the console shows it.

    It proves that the guest still runs commands, and that every kernel line up to
    here has reached our log. Raises `RigError` (HANG, LOST, OOPS) otherwise.
    """
    nonce = f"rig-token-{secrets.token_hex(8)}"
    sh(shell, f"echo {nonce} > /dev/kmsg", timeout=scaled(COMMAND_S), check=True)
    deadline = time.monotonic() + scaled(COMMAND_S)
    while nonce not in session.vm.console_log():
        session.vm.check()
        if time.monotonic() > deadline:
            raise RigError(
                FailureClass.HANG,
                "the kernel log stopped: the token never reached the console",
                log=session.vm.spec.console_log,
            )
        time.sleep(POLL_S)


def no_leaks(session: Session, shell: GuestShell) -> None:
    """With the debug kernel: have kmemleak look for memory that nothing points to.

    Raises `RigError`: ASSERT that names who allocated it, INFRA when kmemleak refuses. What is
    referenced only by a register or an object younger than `MIN_AGE_S` would be a false alarm:
    hence two looks, that far apart (mm/kmemleak.c:111, MSECS_MIN_AGE).
    """
    if not session.bed.options.debug:
        return
    scan = f"echo scan > {KMEMLEAK}"
    script = f"{scan} && sleep {MIN_AGE_S} && {scan} && cat {KMEMLEAK}"
    looked = sh(shell, script, timeout=scaled(COMMAND_S))
    told = looked.checked([script], FailureClass.INFRA).output
    if found := kmemleak.parse(told):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        (session.run_dir / "kmemleak.log").write_text(told)
        raise RigError(
            FailureClass.ASSERT, f"kmemleak: {found[0].title}{more}",
            log=session.run_dir / "kmemleak.log",
        )  # fmt: skip


def complaints(
    session: Session,
    expected: Sequence[klog.Expected],
    denials: Sequence[firewall.Denials] = (),
) -> list[Complaint]:
    """What logs, device and firewall have against a pass; empty: nothing.

    `expected` and `denials` are what the scenario provokes on purpose.
    """
    return [
        *kernel(session, expected),
        *guard(session, denials),
        *secure(session, provoked=bool(denials)),
        *device(session),
    ]


def kernel(session: Session, expected: Sequence[klog.Expected]) -> list[Complaint]:
    """Findings in the kernel's log, less the lines that the scenario provokes on purpose."""
    found = klog.scan(session.vm.console_log(), expected)
    return [Complaint(f.failure, f"kernel log: {f.title}{_driver(session, f)}") for f in found]


def _driver(session: Session, finding: klog.Finding) -> str:
    """The line of the driver that an oops is about."""
    frame = frames.culprit(finding.lines) if finding.failure is FailureClass.OOPS else None
    if frame is None:
        return ""
    return f"; panthor: {frames.place(frame, session.bed.modules / 'panthor.ko')}"


def guard(session: Session, denials: Sequence[firewall.Denials]) -> list[Complaint]:
    """Accesses that the firewall denied, and memory that it does not guard although it should."""
    found = firewall.unexpected(session.firewall.read(), session.denials(), denials)
    if session.config.flavour == "secure":
        found += [(FailureClass.ASSERT, text) for text in _open_lends(session)]
    return [Complaint(failure, sentence) for failure, sentence in found]


def _open_lends(session: Session) -> list[str]:
    """OP-TEE announces a lend before it programs the firewall: a second look settles that."""
    deadline = time.monotonic() + scaled(SETTLE_S)
    while True:
        log = seclog.parse(session.vm.secure_log())
        found = firewall.open_lends(log, session.firewall.read())
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(POLL_S)


def secure(session: Session, *, provoked: bool = False) -> list[Complaint]:
    """Panics and errors in OP-TEE's log. `provoked`: its reports of denials are excused.

    It reports a burst of denials once; the firewall's own log has them all.
    """
    if session.config.flavour == "direct":
        return []
    log = seclog.parse(session.vm.secure_log())
    if not log.complete:
        return [Complaint(FailureClass.FIRMWARE, "the secure log does not show OP-TEE's start")]
    return [
        Complaint(f.failure, f"secure log: {f.title}")
        for f in log.findings
        if not (provoked and f.rule == "firewall")
    ]


def device(session: Session) -> list[Complaint]:
    """Broken contracts that the device reported; the log and the counter must agree."""
    events = session.gpu.read()
    if events and events[0].seq != 0:
        return [Complaint(FailureClass.INFRA, "the GPU's event log lacks its beginning")]
    if lost := session.counter("suppressed"):
        sentence = f"the guest flooded the GPU's event log: {lost} events were not written"
        return [Complaint(FailureClass.MODEL_VIOLATION, sentence)]
    violations = session.gpu.of_kind("violation")
    counted = session.counter("violations")
    if counted != len(violations):
        sentence = f"the device counted {counted} violations but logged {len(violations)}"
        return [Complaint(FailureClass.INFRA, sentence)]
    return [
        Complaint(FailureClass.MODEL_VIOLATION, f"GPU: {event['rule']}: {event['detail']}")
        for event in violations
    ]


def known_issues(log: EventLog) -> tuple[Note, ...]:
    """One note for each of panthor's known issues that the device met: it fails nothing."""
    count = Counter(str(event["issue"]) for event in log.of_kind("known-issue"))
    known = {issue.name: issue for issue in KNOWN_ISSUES}
    notes = []
    for name, times in count.items():
        issue = known.get(name)
        what = f": {issue.what} ({issue.where})" if issue else ""
        often = f", {times} times" if times > 1 else ""
        notes.append(Note(NoteKind.KNOWN_ISSUE, f"panthor's {name}{often}{what}"))
    return tuple(notes)


def explained(error: RigError, session: Session, found: Sequence[Complaint]) -> RigError:
    """A failed check together with what the logs and the device said: they know the cause.

    An oops outranks the check that tripped over it.
    """
    if error.failure is FailureClass.OOPS:
        return error
    oops = [complaint for complaint in found if complaint.failure is FailureClass.OOPS]
    vm, message = session.vm, error.message.split(LAST)[0]
    if oops:
        sentence = f"{oops[0].sentence}{AFTER}{message})"
        return RigError(FailureClass.OOPS, sentence, log=vm.spec.console_log)
    more = f" ({found[0].sentence})" if found else ""
    last = vm.console.last_words() if error.failure is FailureClass.HANG else ""
    return RigError(error.failure, message + more + last, hint=error.hint, log=vm.spec.console_log)
