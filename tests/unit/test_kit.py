# SPDX-License-Identifier: MIT
"""The kit without a guest: whose fault a failed command is."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from rig.errors import FailureClass, RigError
from rig.guest.process import RunResult
from rig.guest.shell import ShellResult, client_fault
from rig.scenarios.kit import Scenario
from rig.verdict.verdict import NoteKind

ASSERT, INFRA = FailureClass.ASSERT, FailureClass.INFRA


class FakeShell:
    """Answers every command in the same way and keeps what was asked."""

    def __init__(self, status: int, output: str = "") -> None:
        self.answer = ShellResult(status, output)
        self.asked: list[tuple[str, ...]] = []

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """As `GuestShell.run`."""
        self.asked.append(tuple(argv))
        return self.answer.checked(argv) if check else self.answer


def rig_with(status: int, output: str = "") -> Scenario:
    session: Any = SimpleNamespace(shell=FakeShell(status, output))
    session.journal = SimpleNamespace(note=lambda *_words: None)
    return Scenario(session)


@pytest.mark.parametrize(
    ("argv", "status", "output", "failure"),
    [
        (("rmmod", "panthor"), 1, "rmmod: in use", ASSERT),
        (("modprobe", "panthor"), 127, "sh: modprobe: not found", INFRA),
        (("rmmod", "panthor"), 137, "", INFRA),
        (("gpuctl", "job"), 1, "RESULT fail step=open why=ENODEV", ASSERT),
        (("gpuctl", "job"), 1, "READY\nRESULT fail step=group_create why=EINVAL", ASSERT),
        (("gpuctl", "job"), 127, "sh: gpuctl: not found", INFRA),
        (("gpuctl", "jop"), 2, "usage: gpuctl", INFRA),
        (("gpuctl", "job"), 139, "", INFRA),
        (("gpuctl", "job"), 1, "", INFRA),
        (("gpuctl", "groups"), 1, "RESULT fail step=calloc why=ENOMEM", INFRA),
        (("heapctl", "x"), 1, "RESULT fail step=alloc why=ENOMEM", ASSERT),
    ],
)
def test_a_command_that_must_succeed(
    argv: tuple[str, ...], status: int, output: str, failure: FailureClass
) -> None:
    with pytest.raises(RigError) as caught:
        rig_with(status, output).run(*argv)
    assert caught.value.failure is failure
    assert "in the guest" in caught.value.message


@pytest.mark.parametrize(
    ("output", "failure"),
    [
        ("cat: devices_deferred: No such file", INFRA),
        ("RESULT fail step=group_create why=EINVAL", ASSERT),
    ],
)
def test_a_line_of_shell_that_must_succeed(output: str, failure: FailureClass) -> None:
    with pytest.raises(RigError) as caught:
        rig_with(1, output).sh("cat /sys/kernel/debug/devices_deferred")
    assert caught.value.failure is failure


def test_a_client_that_broke_is_not_looked_at_as_if_it_had_spoken() -> None:
    with pytest.raises(RigError) as caught:
        rig_with(127, "sh: gpuctl: not found").try_run("gpuctl", "rotate")
    assert caught.value.failure is INFRA
    assert not rig_with(1, "RESULT fail step=counts why=3").try_run("gpuctl", "rotate").ok


def test_a_look_that_went_wrong_is_no_absence() -> None:
    assert rig_with(0).exists("/dev/dri/renderD128")
    assert not rig_with(1).exists("/dev/dri/renderD128")
    with pytest.raises(RigError) as caught:
        rig_with(2, "test: too many arguments").exists("/dev/dri/renderD128")
    assert caught.value.failure is INFRA


@pytest.mark.parametrize(
    ("status", "signal", "output", "failure"),
    [
        (1, None, b"RESULT fail step=vm_destroy why=EIO\n", ASSERT),
        (0, None, b"RESULT ok\n", ASSERT),  # wanted was a refusal
        (None, 11, b"READY\n", INFRA),
        (127, None, b"", INFRA),
    ],
)
def test_the_end_of_a_spawned_client(
    status: int | None, signal: int | None, output: bytes, failure: FailureClass
) -> None:
    ended = RunResult(status, signal, output, b"", timed_out=False)
    process: Any = SimpleNamespace(
        what="gpuctl", close_stdin=lambda: None, wait=lambda _timeout: ended
    )
    with pytest.raises(RigError) as caught:
        rig_with(0).finish(process, status=3)
    assert caught.value.failure is failure


def test_the_last_result_counts() -> None:
    assert client_fault("RESULT fail step=calloc why=x\nRESULT ok\n") is ASSERT
    assert client_fault("said nothing") is INFRA


def test_without_drgn_the_references_are_a_note_not_a_pass_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rig.introspect.available", lambda: False)
    rig = rig_with(0)
    assert rig.references() is None
    (note,) = rig.notes
    assert note.kind is NoteKind.UNCHECKED
    assert "pip install drgn" in note.text
