# SPDX-License-Identifier: MIT
"""Tab, in a real bash and a real zsh on a terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
}
PREPARE = {
    "bash": "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'",
    "zsh": "unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -u -D",
}


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """A shell that has just been told `eval "$(rig completion …)"`."""
    name = request.param
    if shutil.which(name) is None and not os.environ.get("CI"):
        pytest.skip(f"no {name} here: `rig doctor --for test`")
    program = tmp_path / "rig"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m rig.cli.main "$@"\n')
    program.chmod(0o755)
    child = pexpect.spawn(
        name, START[name], encoding="utf-8", timeout=60, dimensions=(50, 200), cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb",
             "PS1": "$ ", "HOME": str(tmp_path)},
    )  # fmt: skip
    child.logfile_read = sys.stdout
    child.sendline(PREPARE[name])
    child.sendline(f'eval "$(rig completion {name})"; echo pre"pared"')
    child.expect("prepared\r")
    yield child
    child.close(force=True)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("rig insp", "rig inspect "),
        ("rig run --stop", "rig run --stop-on-failure "),
        ("rig run probe-defer/heap-l", "rig run probe-defer/heap-late "),
        ("rig shell --stage pre", "rig shell --stage pre-insmod "),
        ("rig run --mutant ignore-h", "rig run --mutant ignore-heap "),
    ],
)
def test_tab(shell: pexpect.spawn[str], typed: str, completed: str) -> None:
    """What the shell has on its line then, it tells itself: quoted, behind an echo."""
    shell.send(typed + "\t")
    shell.expect_exact(completed.removeprefix(typed).strip())
    shell.send("\x01echo '<\x05>'\r")  # quote what is there, and have it printed
    shell.expect(rf"\n<{re.escape(completed.rstrip())} ?>")  # zsh takes its space back
