# SPDX-License-Identifier: MIT
"""The line that `rig verdict` prints: fields by tabs, none of them left out."""

from __future__ import annotations

from rig.cli.verdict import line_of
from rig.errors import FailureClass
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict


def test_a_pass_with_its_notes() -> None:
    notes = Note(NoteKind.INTEGRATION, "no such\nheap"), Note(NoteKind.UNCHECKED, "no drgn")
    fields = line_of(Verdict("a/b", Outcome.PASS, notes=notes)).split("\t")
    assert fields == ["PASS", "a/b", "-", "-", "-",
                      "INTEGRATION: no such heap | UNCHECKED: no drgn"]  # fmt: skip


def test_a_failure() -> None:
    verdict = Verdict("a/b", Outcome.FAIL, "it\tbroke", FailureClass.OOPS)
    signature = signature_of(verdict)
    assert signature is not None
    fields = line_of(verdict).split("\t")
    assert fields == ["FAIL", "a/b", "OOPS", signature.id, "it broke", "-"]
