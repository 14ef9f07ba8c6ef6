# SPDX-License-Identifier: MIT
"""A build tool and its children end with the rig: however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rig.artifacts import leash
from rig.artifacts.leash import Leashed
from rig.errors import FailureClass, RigError
from rig.paths import REPO

FAMILY = "sleep 60 & sleep 60 & echo $$ $!; wait"
"""A tool with children; it prints two of the process ids."""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.01)


def members(child: subprocess.Popen[bytes]) -> list[int]:
    assert child.stdout is not None
    return [int(word) for word in child.stdout.readline().split()]


def test_a_tool_that_ends_by_itself() -> None:
    with Leashed(["sh", "-c", "echo out; echo err >&2; exit 3"], None, os.environ) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b"out\nerr\n"
    assert child.returncode == 3


def test_what_a_tool_leaves_behind_ends_with_it() -> None:
    with Leashed(["sh", "-c", "sleep 60 >&- 2>&- & echo $!"], None, os.environ) as child:
        pids = members(child)
    wait_gone(pids)


@pytest.mark.parametrize("error", [KeyboardInterrupt("Ctrl-C"), RigError(FailureClass.INFRA, "x")])
def test_an_error_ends_the_whole_family(error: BaseException) -> None:
    started = time.monotonic()
    with pytest.raises(type(error)), Leashed(["sh", "-c", FAMILY], None, os.environ) as child:
        pids = members(child)
        raise error
    wait_gone(pids)
    assert time.monotonic() - started < leash.GRACE_S


def test_a_tool_that_ignores_pleas_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leash, "GRACE_S", 0.05)
    deaf = "trap '' TERM INT; " + FAMILY
    with pytest.raises(KeyboardInterrupt), Leashed(["sh", "-c", deaf], None, os.environ) as child:
        pids = members(child)
        raise KeyboardInterrupt
    wait_gone(pids)


def test_a_tool_that_is_not_installed() -> None:
    with pytest.raises(FileNotFoundError):
        Leashed(["/no/such/tool"], None, os.environ)


def test_a_signal_before_the_block_begins_leaves_nothing() -> None:
    """Between the fork and `with` nobody but the keeper knows of the tool."""
    code = f"""
        import os
        from rig.artifacts.leash import Leashed
        leashed = Leashed(["sh", "-c", {FAMILY!r}], None, os.environ)
        print(leashed.child.stdout.readline().decode(), flush=True)
        raise KeyboardInterrupt
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=REPO, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    wait_gone([int(word) for word in done.stdout.split()])
