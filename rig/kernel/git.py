# SPDX-License-Identifier: MIT
"""git as the rig calls it: without the user's configuration, byte for byte, in English."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rig.errors import FailureClass, RigError
from rig.store import full_disk_words

# The user's own configuration (line ends, ignores, hooks, file watchers) is not the tree's.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
_CONFIG = (
    *("-c", "core.looseCompression=1"),  # a kernel is 1.5 GB: time counts more than space here
    *("-c", "core.fsync=none"),  # everything can be made again
    *("-c", "core.excludesFile=/dev/null"),
    *("-c", "gc.auto=0"),
)
ATTRIBUTES = "* -text -filter -ident -working-tree-encoding\n"
"""info/attributes: files are taken and written byte for byte, whatever .gitattributes ask for."""


class GitError(RigError):
    """A command of git's that failed (INFRA), with all that it said."""

    def __init__(self, argv: Sequence[str], stderr: str) -> None:
        self.stderr = stderr
        super().__init__(FailureClass.INFRA, f"git {argv[0]} failed: {self.reason()}")

    def reason(self) -> str:
        """The first error line: it names file and line of a refused patch."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error:")]
        return (errors or lines or ["no output"])[0]


def call(argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: bytes = b"") -> bytes:
    """What git printed; `env`: its GIT_ variables, of which the user's own do not count.

    Raises `GitError`, and `RigError` (INFRA) for a full disk where our repository is.
    """
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *_CONFIG, *argv],
        cwd=cwd,
        env={**mine, **_ENVIRONMENT, **env},
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        stderr = done.stderr.decode(errors="replace")
        raise full_disk_words(stderr, Path(env["GIT_DIR"]).parent) or GitError(argv, stderr)
    return done.stdout


def quoted(path: Path) -> str:
    """A path as git takes it in a list that colons separate."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
