# SPDX-License-Identifier: MIT
"""docs/tutorial.md: its commands are typed as they stand there, and say what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rig.paths import REPO

PAGE = REPO / "docs" / "tutorial.md"
END = "-- the end of a command: "


@dataclass
class Command:
    """What is typed, and the lines that the page shows of what it prints."""

    typed: str
    shown: list[str] = field(default_factory=list)


def commands(page: str) -> list[Command]:
    """All of a page, in order."""
    found: list[Command] = []
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            else:
                found[-1].shown.append(line)
    return found


def missing(shown: Sequence[str], printed: str) -> str | None:
    """The first line of the page that was not printed behind the one before; None: all were.

    Spaces count as one; … stands for anything, at the end of a line for nothing as well.
    """
    lines = iter(" ".join(line.split()) for line in printed.splitlines())
    for want in shown:
        parts = (re.escape(part.strip()) for part in " ".join(want.split()).split("…"))
        pattern = re.compile(".*".join(parts))
        if not any(pattern.match(line) for line in lines):
            return want
    return None


def test_the_comparison() -> None:
    printed = "a  b\nx 7 y\nz\n"
    assert missing(["a b", "x … y", "z …"], printed) is None
    assert missing(["x … y", "a b"], printed) == "a b"
    assert missing(["x 8 y"], printed) == "x 8 y"


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """What the commands see of a clone: the series, and a `rig` that is this one."""
    (tmp_path / "kernel_config").symlink_to(REPO / "kernel_config")
    program = tmp_path / ".venv" / "bin" / "rig"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m rig.cli.main "$@"\n')
    program.chmod(0o755)
    yield tmp_path


def test_the_tutorial(clone: Path) -> None:
    typed = commands(PAGE.read_text())
    assert sum(one.typed.startswith(".venv/bin/rig ") for one in typed) == 5
    with subprocess.Popen(
        ["bash", "--norc"], cwd=clone, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as shell:  # fmt: skip
        assert shell.stdin is not None
        assert shell.stdout is not None
        for one in typed:
            shell.stdin.write(f"{one.typed}\nstatus=$?; echo '{END}'; (exit $status)\n")
            shell.stdin.flush()
            printed = "".join(iter(shell.stdout.readline, f"{END}\n"))
            print(f"$ {one.typed}\n{printed}")
            assert missing(one.shown, printed) is None, one.typed
        shell.stdin.close()
