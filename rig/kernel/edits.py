# SPDX-License-Identifier: MIT
"""The user's tree state after state: of a state that is known, only what changed is read again."""

from __future__ import annotations

import stat
from collections.abc import Collection
from pathlib import Path

from rig.kernel.git import GitError
from rig.kernel.repo import KernelRepo, Tree

_IGNORES = (".gitignore", ".git")


class Edits:
    """The tree at `path`. Whoever watches it tells what changed since he asked last."""

    def __init__(self, repo: KernelRepo, path: Path, label: str) -> None:
        self._repo, self._path, self._label = repo, path.resolve(), label
        self._known: Tree | None = None

    def state(self, changed: Collection[Path] | None) -> Tree:
        """The tree as it is now. `changed`: what may be another than at the last call; None: all.

        The whole is read unless all of it are files that were there with the same mode, or
        came and went meanwhile. Raises as `KernelRepo.snapshot` does.
        """
        known, self._known = self._known, None  # whatever is raised, the next call reads all
        found = self._edited(known, changed) if known and changed is not None else None
        self._known = found or self._repo.snapshot(self._path, self._label)
        return self._known

    def _edited(self, known: Tree, changed: Collection[Path]) -> Tree | None:
        files: list[str] = []
        for path in sorted(changed):
            if not path.is_relative_to(self._path):
                continue  # of another folder that is watched
            name = str(path.relative_to(self._path))
            mode, now = self._repo.mode_of(known, name), _mode(path)
            if mode is None and now is None:
                continue  # an editor's scratch file
            if mode != now or path.name in _IGNORES:
                return None
            files.append(name)
        try:
            return self._repo.with_files(known, self._path, files)
        except GitError:  # it went just now: the next call is told
            return None


def _mode(path: Path) -> str | None:
    """The file's mode as git writes it; None: it is not there, or is no plain file."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        return "other"
    return "100755" if mode & stat.S_IXUSR else "100644"
