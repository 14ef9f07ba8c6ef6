# SPDX-License-Identifier: MIT
"""The one worktree that builds read: only files that differ from the wanted state are written.

git looks at all 96,000 files to find out which these are. Where the worktree is known to be
some state, and the wanted one has other contents in a few of the driver's files, as after an
edit, only these are written, and the index stays behind. That does no harm: whenever it is
used, git sees that these files are not those it knows, and writes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from rig.kernel.git import GitError

_PLAIN = (b"100644", b"100755")


class Worktree:
    """`path`, with git's index beside it. Only under the lock `linux-worktree`."""

    def __init__(self, root: Path, edited: str, git: Callable[..., bytes]) -> None:
        """`root`: where the worktree, its index and its note are; `edited`: the driver's folder;
        `git`: as `KernelRepo` calls it.
        """
        self.path = root / "src"
        self._edited = edited
        self._root, self._git = root, git
        self._index = root / "index-worktree"
        self._note = root / "worktree.json"

    def make(self, tree: str) -> None:
        """Make it that state. What a killed checkout left is put right."""
        self.path.mkdir(exist_ok=True)
        few = self._few(tree)
        self._note.unlink(missing_ok=True)  # who is killed from here on leaves an unknown state
        for name, (mode, blob) in few.items():
            self._write(name, mode, blob)
        if not few:
            self._whole(tree)
        self._note.write_text(json.dumps({"tree": tree, "seen": self._seen()}))

    def _few(self, tree: str) -> dict[str, tuple[bytes, str]]:
        """The files of the driver that are all the difference; empty: git must look at them all."""
        try:
            note = json.loads(self._note.read_text())
            if _lock(self._index).exists() or note["seen"] != self._seen():
                return {}
            ask = ["diff-tree", "-r", "-z", "--raw", "--no-renames", note["tree"], tree]
            told = self._git(ask, index=None).split(b"\0")
        except (FileNotFoundError, ValueError, KeyError, TypeError, GitError):
            return {}  # unknown, or a state of objects that were borrowed
        few: dict[str, tuple[bytes, str]] = {}
        for what, name in zip(told[:-1:2], told[1::2], strict=True):
            before, mode, _, blob, kind = what.removeprefix(b":").split()
            inside = name.startswith(f"{self._edited}/".encode())
            if kind != b"M" or before != mode or mode not in _PLAIN or not inside:
                return {}
            few[os.fsdecode(name)] = mode, blob.decode()
        return few

    def _write(self, name: str, mode: bytes, blob: str) -> None:
        """As another file, so that git's index can tell."""
        scratch = self._root / "worktree.file"
        scratch.unlink(missing_ok=True)
        scratch.touch(0o777 if mode == b"100755" else 0o666, exist_ok=False)
        scratch.write_bytes(self._git(["cat-file", "blob", blob], index=None))
        scratch.replace(self.path / name)

    def _whole(self, tree: str) -> None:
        cut_off = unlocked(self._index)
        if not self._index.exists():
            self._git(["read-tree", "--empty"], index=self._index)
        self._git(["read-tree", "--reset", "-u", tree], index=self._index, work_tree=self.path)
        if cut_off:  # files of the state that was being written and that this one does not have
            self._git(["clean", "-ffdxq"], index=self._index, work_tree=self.path)

    def _seen(self) -> dict[str, list[int]]:
        """What tells that somebody wrote into the driver's folder, or made another state."""
        folder = self.path / self._edited
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {str(path): _identity(path) for path in (self._index, *files)}


def _identity(path: Path) -> list[int]:
    stat = path.lstat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode]


def _lock(index: Path) -> Path:
    return index.with_name(index.name + ".lock")


def unlocked(index: Path) -> bool:
    """Take away the lock that a killed git left on `index`; we hold the rig's own lock."""
    lock = _lock(index)
    there = lock.exists()
    lock.unlink(missing_ok=True)
    return there
