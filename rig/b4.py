# SPDX-License-Identifier: MIT
"""b4's external check (`prep-perpatch-check-cmd`, `am-perpatch-check-cmd`), seen from the command.

b4 runs the command in the tree's top folder, one patch after the other, each as a mail on
stdin. A line on stdout is a warning, one with ``ERROR:`` in it a failure; whatever stands
on stderr is a failure too; nothing at all and exit code 0 is a success (b4 0.16,
`LoreMessage.run_local_check`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from rig.errors import usage
from rig.kernel.patches import Patch, load_series
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.revisions import Revisions
from rig.series import findings, new_warnings, states_of
from rig.states import Ruling, State
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Outcome

_NUMBER = re.compile(r"\[[^\]]*?\b(\d+)/\d+[^\]]*\]")


@dataclass(frozen=True)
class Mail:
    """One patch as b4 hands it over."""

    patch: Patch
    file: Path
    """Where it is kept for the patches behind it."""
    number: int
    """Its place in the series; 1 for a patch alone."""


def receive(data: bytes, keep: Path) -> Mail:
    """The patch on stdin, kept by its series and number.

    Raises `RigError` (USAGE) when it is no mail with a patch.
    """
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # the policy's
    found = _NUMBER.search(str(mail["Subject"] or ""))
    folder = keep / hashlib.sha256(_thread(mail).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{int(found[1]) if found else 1:04}.patch"
    file.write_bytes(data if data.startswith(b"From ") else _SEPARATOR + data)
    patches = load_series(file)
    if len(patches) != 1:
        raise usage("stdin has more than one patch", "b4 gives one at a time")
    return Mail(patches[0], file, int(file.stem))


_SEPARATOR = b"From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"


def _thread(mail: EmailMessage) -> str:
    """What the mails of a series have in common: the first one's id."""
    above = str(mail["References"] or mail["In-Reply-To"] or mail["Message-Id"] or "").split()
    return above[0] if above else str(mail["Subject"])


def states(mail: Mail, revisions: Revisions, repo: KernelRepo) -> tuple[State, State]:
    """The tree before the patch, and with it.

    `b4 prep --check` runs on a branch that has the patch as a commit. `b4 am` does not:
    there it goes on top of HEAD and the patches of its series that came before.
    Raises `RigError` (USAGE) when one of those never came.
    """
    commit = revisions.holding(mail.patch.diff)
    if commit:
        before = revisions.commit(f"{commit}^")
        return (
            State("before", revisions.subject(before), revisions.tree(before)),
            State("patch", mail.patch.subject, revisions.tree(commit)),
        )
    files = [mail.file.with_name(f"{number:04}.patch") for number in range(1, mail.number)]
    if missing := [file.stem for file in files if not file.exists()]:
        raise usage(
            f"patch {int(missing[0])} of its series was not checked before, and is no commit",
            "b4 checks them in order; or apply the series first: `b4 shazam`",
        )
    head = revisions.tree(revisions.commit("HEAD"))
    found = _on_top(repo, head, [*(load_series(file)[0] for file in files), mail.patch])
    return found[-2], found[-1]


def _on_top(repo: KernelRepo, head: Tree, patches: Sequence[Patch]) -> list[State]:
    return states_of(repo, head, patches, "the series")


def lines(rows: Sequence[Ruling]) -> list[str]:
    """What b4 shall show of (before, with the patch): nothing when all is well."""
    before, after = rows
    told = [
        f"ERROR: {one.verdict.scenario}: {one.signature.failure.label}: {one.verdict.sentence}"
        for one in findings(rows)
        if one.row == 1
    ]
    known = {signature_of(judged.verdict) for judged in before.judged}
    refused: dict[str, list[str]] = {}
    for judged in after.judged:
        verdict = judged.verdict
        name = verdict.failure.label if verdict.failure else ""
        if verdict.outcome is Outcome.FAIL and signature_of(verdict) in known:
            told.append(f"as before this patch: {verdict.scenario}: {name}: {verdict.sentence}")
        elif verdict.outcome in (Outcome.ERROR, Outcome.NOT_APPLICABLE):
            mark = "ERROR: " if verdict.outcome is Outcome.ERROR else ""
            refused.setdefault(f"{mark}{name}: {verdict.sentence}", []).append(verdict.scenario)
    told += [f"{why} ({_count(names)})" for why, names in refused.items()]
    told += [one.sentence for one in new_warnings(rows) if one.row == 1]
    return [" ".join(line.split()) for line in told]


def _count(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} scenarios"
