# SPDX-License-Identifier: MIT
"""A kernel tree under git with commits of ours in it, made in seconds.

It borrows the objects of the rig's own repository, so a commit is a blob, a few trees
and a line of text; files are written only where somebody wants to look at them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rig.kernel.repo import PANTHOR, Tree
from rig.testbed import TestBed

Edit = Callable[[str], str]
NEEDED = ("Kconfig", "Makefile", f"{PANTHOR}/panthor_drv.c")
"""The files that `rig.kernel.repo.require_kernel` looks for."""
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "panthor-rig"),
        ("EMAIL", "rig@example.invalid"),
        ("DATE", "2026-01-01T00:00:00+0000"),
    )
}


@dataclass
class Branch:
    """The commits, oldest first; number 0 is the state that it began with."""

    path: Path
    commits: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """Panthor's files as the last commit has them, by name."""

    def git(self, *argv: str, stdin: str = "") -> str:
        """One git command in the folder."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _IDENTITY
        done = subprocess.run(
            ["git", "-C", str(self.path), *argv],
            env=env, input=stdin, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.rstrip("\n")

    def edit(self, name: str, change: Edit) -> None:
        """Change one of panthor's files in the index; `ValueError` when it stays as it is."""
        path = f"{PANTHOR}/{name}"
        before = self.files.get(name) or self.git("show", f":{path}") + "\n"
        after = self.files[name] = change(before)
        if after == before:
            raise ValueError(f"nothing to change in {name}")
        blob = self.git("hash-object", "-w", "--stdin", stdin=after)
        self.git("update-index", "--cacheinfo", f"100644,{blob},{path}")

    def commit(self, subject: str) -> str:
        """What the index holds, on top of the last commit."""
        parents = [part for last in self.commits[-1:] for part in ("-p", last)]
        made = self.git("commit-tree", self.git("write-tree"), *parents, "-m", subject)
        self.git("update-ref", "refs/heads/main", made)
        self.commits.append(made)
        return made

    def tree(self, number: int) -> Tree:
        """The state of one commit."""
        commit = self.commits[number]
        return Tree(self.git("rev-parse", f"{commit}^{{tree}}"), commit[:12])


def begin(bed: TestBed, path: Path) -> Branch:
    """A history of one commit, the tree under test, in a folder that may be there already."""
    path.mkdir(exist_ok=True)
    branch = Branch(path)
    branch.git("init", "-q", "-b", "main")
    ours = bed.builder.store.work("linux") / "repo.git" / "objects"
    (path / ".git" / "objects" / "info" / "alternates").write_text(f"{ours}\n")
    branch.git("read-tree", bed.tree.id)
    branch.git("checkout-index", "-f", "--", *NEEDED)
    branch.commit(bed.tree.label)
    return branch
