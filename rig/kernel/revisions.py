# SPDX-License-Identifier: MIT
"""Revisions of the user's git tree: read by git's own commands, which write nothing there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rig.errors import RigError, usage
from rig.kernel.patches import base_commit
from rig.kernel.repo import Tree

_READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C.UTF-8"}
_RECENT = 200
"""Commits among which a patch that is applied already is looked for."""


class Revisions:
    """The history of one checkout. Raises `RigError` (USAGE) for what is no revision of it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.objects = Path(self._git("rev-parse", "--path-format=absolute", "--git-path",
                                      "objects"))  # fmt: skip

    def commit(self, revision: str) -> str:
        """The commit that `revision` names."""
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options",
                         f"{revision}^{{commit}}", what=f"no commit {revision!r}")  # fmt: skip

    def tree(self, commit: str) -> Tree:
        """The state of the source at a commit."""
        return Tree(self._git("rev-parse", f"{commit}^{{tree}}"), f"{commit[:12]}")

    def subject(self, commit: str) -> str:
        """First line of the commit's message."""
        return self._git("log", "-1", "--no-show-signature", "--format=%s", commit)

    def between(self, old: str, new: str) -> list[str]:
        """The commits behind `old` up to `new`, oldest first; of a merge the first parents."""
        listed = self._git("rev-list", "--reverse", "--first-parent", new, f"^{old}")
        return listed.splitlines()

    def holding(self, diff: bytes) -> str:
        """The newest of HEAD's last commits that makes this change; empty: none does."""
        wanted = self._patch_ids(b"commit " + b"0" * 40 + b"\n\n" + diff)
        # a shallow clone's first commit is all of the kernel: none of that is a patch's change
        plain = ("--no-show-signature", "--no-color", "--no-ext-diff", "--no-textconv")
        log = self._call_raw(
            "-c", "log.showroot=false", "log", "-p", *plain, "--no-merges", "--first-parent",
            f"-{_RECENT}", "--format=commit %H",
        )  # fmt: skip
        known = self._patch_ids(log.stdout)
        return next((known[one] for one in wanted if one in known), "")

    def _patch_ids(self, log: bytes) -> dict[str, str]:
        """What identifies each change of a log, whatever its lines' numbers, and its commit."""
        told = self._call_raw("patch-id", "--stable", stdin=log).stdout.decode().split()
        return dict(reversed(list(zip(told[::2], told[1::2], strict=True))))

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` has `old` in its history."""
        return self._call("merge-base", "--is-ancestor", old, new).returncode == 0

    def candidates(self, bad: str, goods: Sequence[str]) -> list[str]:
        """Commits that may be the first bad one, but `bad` itself; the best to judge first."""
        listed = self._git("rev-list", "--bisect-all", bad, *(f"^{good}" for good in goods))
        commits = [line.split()[0] for line in listed.splitlines() if line]
        return [commit for commit in commits if commit != bad]

    def _git(self, *argv: str, what: str = "") -> str:
        done = self._call(*argv)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"git {argv[0]} failed"])[-1]
            raise usage(f"{self.path}: {what or reason}", "give revisions of the tree at --kernel")
        return done.stdout.strip()

    def _call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        done = self._call_raw(*argv)
        words = [told.decode(errors="replace") for told in (done.stdout, done.stderr)]
        return subprocess.CompletedProcess(done.args, done.returncode, *words)

    def _call_raw(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(
            ["git", "-C", str(self.path), *argv],
            env={**env, **_READ_ONLY}, input=stdin, capture_output=True, check=False,
        )  # fmt: skip


def base_note(series: Path, kernel: Path | None) -> str:
    """What the user should know of the base that a series names; empty when all is well."""
    base = base_commit(series)
    if not base:
        return ""
    said = f"{series.name} was made on {base[:12]}"
    if kernel is None or not (kernel / ".git").exists():
        return f"{said}; the tree under test has no history to compare with"
    revisions = Revisions(kernel)
    head = revisions.commit("HEAD")
    try:
        known = revisions.commit(base)
    except RigError:
        return f"{said}, which {kernel} does not have; it is on {head[:12]}"
    if known == head:
        return ""
    count = len(revisions.between(known, head)) if revisions.is_ancestor(known, head) else 0
    where = f"{count} commits behind it" if count else "not in its history"
    return f"{said}; {kernel} is on {head[:12]}, and the base is {where}"
