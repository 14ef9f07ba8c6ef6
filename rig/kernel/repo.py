# SPDX-License-Identifier: MIT
"""The kernel tree under test as a git tree of our own, never as the user's checkout.

The user's tree is read and never written: `snapshot()` hashes it (uncommitted and
new files taken along, ignored build products left out) into an object store and an
index of ours. Patches are applied in an index, so that every state has its tree id,
which is its content key, before a file is touched. Only a build checks a tree out,
into one worktree at a fixed path, where only the files that differ are written:
kbuild then recompiles just those.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.errors import FailureClass, RigError, infra, usage
from rig.kernel import git, trees
from rig.kernel.patches import Patch
from rig.kernel.products import products
from rig.kernel.worktree import Worktree, unlocked
from rig.leftovers import temporary
from rig.store import Store

PANTHOR = "drivers/gpu/drm/panthor"
UAPI = "include/uapi/drm/panthor_drm.h"


@dataclass(frozen=True)
class Tree:
    """One state of the source."""

    id: str
    """git tree id: the content key."""
    label: str
    """For the reader: where it came from and what is applied."""


class KernelRepo:
    """Snapshots, patched states and the one worktree, in the store's `work/linux`."""

    def __init__(self, store: Store, borrow: Path | None = None) -> None:
        """`borrow`: object folder of the user's repository, whose revisions are read there.

        States of borrowed objects are for building; do not `snapshot` with the same instance:
        the index it keeps would then count on objects that are not ours.
        """
        self._store = store
        self._borrow = borrow
        self._root = store.work("linux")
        self._git_dir = self._root / "repo.git"
        self.worktree = self._root / "src"
        if not (self._git_dir / "objects" / "pack").exists():  # made last: an init cut off counts
            self._run(["init", "-q", "--bare", str(self._git_dir)], index=None)
        (self._git_dir / "info").mkdir(exist_ok=True)
        (self._git_dir / "info" / "attributes").write_text(git.ATTRIBUTES)

    def objdir(self, flavour: str) -> Path:
        """kbuild's output folder of one configuration flavour."""
        return self._root / f"obj-{flavour}"

    def fetched(self, path: Path, digest: str, label: str) -> Tree:
        """The tree of a fetched source, which does not change: read only once per `digest`."""
        (tree,) = self.memo(["fetched", digest], lambda: [self.snapshot(path, label).id])
        return Tree(tree, label)

    def snapshot(self, path: Path, label: str) -> Tree:
        """The tree at `path` as it is now. Reads only.

        Raises `RigError`: USAGE when it is no kernel tree or has files that cannot be read.
        """
        path = path.resolve()
        require_kernel(path)
        index = self._root / f"index-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        with self._store.lock(index.name, "rig: another rig reads this tree; waiting for it"):
            unlocked(index)
            try:
                self._add(path, index)
            except git.GitError as exc:
                if "Permission denied" not in exc.stderr:
                    raise
                raise usage(f"cannot read {path}: {exc.reason()}", "make it readable") from exc
            return Tree(self._run(["write-tree"], index=index), label)

    def _add(self, path: Path, index: Path) -> None:
        """All of the tree but build products into `index`.

        In a git checkout its own .gitignore files know the products. An unpacked
        tarball has no say: kbuild's notes tell what was made in it.
        """
        if not (path / ".git").exists():
            but = [f":(exclude,glob){pattern}" for pattern in products(path)]
            self._run(["add", "-A", "-f", *_PATHS], index=index, work_tree=path,
                      stdin="\0".join([".", *but]).encode(errors="surrogateescape"))  # fmt: skip
            return
        self._run(["add", "-A", "."], index=index, work_tree=path)
        if kept := self._tracked_though_ignored(path):
            # not `add -f`: the time that takes grows with the square of the number of names
            names = b"".join(name + b"\0" for name in kept)
            self._run(["update-index", "--add", "--replace", "-z", "--stdin"], index=index,
                      work_tree=path, stdin=names)  # fmt: skip

    def _tracked_though_ignored(self, path: Path) -> list[bytes]:
        """Files that the checkout has in spite of its .gitignore; asked of a look at its index."""
        theirs = _index_of(path)
        if theirs is None:
            return []
        ask = ["ls-files", "-z", "-c", "-i", "--exclude-per-directory=.gitignore"]
        names = self._git(ask, index=theirs, work_tree=path).split(b"\0")
        root = os.fsencode(path) + b"/"
        return [n for n in names if n and os.path.lexists(root + n)]

    def apply(self, tree: Tree, patches: Sequence[Patch], series: str) -> list[Tree]:
        """The state behind each patch, in order.

        Raises `RigError` (BUILD) that names the first patch, file and line that does not apply.
        """
        diffs = [hashlib.sha256(patch.diff).hexdigest() for patch in patches]
        ids = self.memo(
            ["apply", tree.id, *diffs],
            lambda: [state.id for state in self.apply_each(tree, patches, series)],
        )
        names = [
            f"{tree.label} + {_state_name(series, n, len(ids))}" for n in range(1, len(ids) + 1)
        ]
        return [Tree(*pair) for pair in zip(ids, names, strict=True)]

    def apply_each(self, tree: Tree, patches: Sequence[Patch], series: str) -> Iterator[Tree]:
        """As `apply`, one state at a time: those before the patch that does not apply count."""
        with self._scratch_index(tree) as index:
            for number, patch in enumerate(patches, 1):
                try:
                    self._run(["apply", "--cached", "--whitespace=nowarn", "-"], index=index,
                              stdin=patch.diff)  # fmt: skip
                except git.GitError as exc:
                    raise RigError(
                        FailureClass.BUILD,
                        f"{series}: patch {number}/{len(patches)} ({patch.subject}) does not apply "
                        f"to {tree.label}: {exc.reason()}",
                        hint=f"rebase the series; the refused file is {patch.source}",
                    ) from exc
                name = _state_name(series, number, len(patches))
                yield Tree(self._run(["write-tree"], index=index), f"{tree.label} + {name}")

    def contains(self, tree: Tree, patch: Patch) -> bool:
        """Whether a state is as the patch leaves it: it can be taken out of it."""
        with self._scratch_index(tree) as index:
            undo = ["apply", "--cached", "--check", "--reverse", "-"]
            try:
                self._run(undo, index=index, stdin=patch.diff)
            except git.GitError:
                return False
            return True

    def without(self, tree: Tree, folder: str) -> str:
        """Tree id of `tree` with one folder taken out: what does not depend on that folder."""
        found = self.memo(
            ["without", tree.id, folder], lambda: [trees.without(self._objects, tree.id, folder)]
        )
        return found[0]

    def with_files(self, tree: Tree, folder: Path, names: Sequence[str]) -> Tree:
        """`tree` with the contents that files of it have below `folder` now."""
        if not names:
            return tree
        ask = ["hash-object", "-w", "--no-filters", "--", *(str(folder / name) for name in names)]
        blobs = dict(zip(names, self._own(ask).decode().split(), strict=True))
        return Tree(trees.with_blobs(self._objects, tree.id, blobs), tree.label)

    def mode_of(self, tree: Tree, path: str) -> str | None:
        """git's mode of what is at `path` in a state, or None."""
        ask = ["--literal-pathspecs", "ls-tree", "-z", tree.id, "--", path]
        return self._git(ask, index=None).decode().partition(" ")[0] or None

    def memo(self, question: Sequence[str], answer: Callable[[], list[str]]) -> list[str]:
        """Tree ids, or other lines, that follow from content alone: found once, kept beside the
        objects.

        An index of a kernel has 90,000 entries; asking git takes seconds, this does not.
        """
        note = self._git_dir / "rig-memo" / hashlib.sha256("\0".join(question).encode()).hexdigest()
        if note.exists():
            return note.read_text().splitlines()
        ids = answer()
        note.parent.mkdir(exist_ok=True)
        scratch = note.with_suffix(f".{os.getpid()}")
        scratch.write_text("\n".join(ids))
        scratch.rename(note)
        return ids

    def id_of(self, tree: Tree, path: str) -> str | None:
        """git's id of a file or folder of a state, or None."""
        try:
            return self._run(["rev-parse", "--verify", "-q", f"{tree.id}:{path}"], index=None)
        except git.GitError:
            return None

    def read(self, tree: Tree, path: str) -> bytes | None:
        """Content of one file of a state, or None."""
        try:
            return self._git(["cat-file", "blob", f"{tree.id}:{path}"], index=None)
        except git.GitError:
            return None

    def archive(self, tree: Tree, folder: str) -> bytes:
        """One folder of a state as a tar file."""
        return self._git(["archive", tree.id, "--", folder], index=None)

    def checkout(self, tree: Tree) -> Path:
        """Make the worktree that state; only files that differ get a new time stamp.

        Only under the lock `linux-worktree`. What a killed checkout left is put right.
        """
        Worktree(self._root, PANTHOR, self._git).make(tree.id)
        return self.worktree

    @contextmanager
    def _scratch_index(self, tree: Tree) -> Iterator[Path]:
        """An index of its own that starts as `tree` and is gone afterwards."""
        with temporary("index") as folder:
            self._run(["read-tree", tree.id], index=folder / "index")
            yield folder / "index"

    def _run(
        self,
        argv: Sequence[str],
        *,
        index: Path | None,
        work_tree: Path | None = None,
        stdin: bytes = b"",
    ) -> str:
        done = self._git(argv, index=index, work_tree=work_tree, stdin=stdin)
        return done.decode(errors="replace").strip()

    @property
    def _objects(self) -> trees.Objects:
        return trees.Objects(lambda argv: self._git(argv, index=None), self._own)

    def _own(self, argv: Sequence[str], stdin: bytes = b"") -> bytes:
        """Not with the borrowed objects: git would set the time of one that is there already."""
        return git.call(argv, self._root, {"GIT_DIR": str(self._git_dir)}, stdin)

    def _git(
        self,
        argv: Sequence[str],
        *,
        index: Path | None,
        work_tree: Path | None = None,
        stdin: bytes = b"",
    ) -> bytes:
        """Our repository, and the user's objects where they are borrowed."""
        env = {"GIT_DIR": str(self._git_dir)}
        if self._borrow is not None:
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = git.quoted(self._borrow)
        if index is not None:
            env["GIT_INDEX_FILE"] = str(index)
        if work_tree is not None:
            env["GIT_WORK_TREE"] = str(work_tree)
        return git.call(argv, work_tree or self._root, env, stdin)


_PATHS = ("--pathspec-from-file=-", "--pathspec-file-nul")


def _index_of(path: Path) -> Path | None:
    """The index of a checkout, or of a linked worktree (there `.git` is a file)."""
    git = path / ".git"
    if git.is_file():
        git = path / git.read_text().partition(":")[2].strip()
    index = git / "index"
    return index if index.is_file() else None


def _state_name(series: str, number: int, count: int) -> str:
    """How a state behind a patch is called; the last one as the series."""
    return series if number == count else f"{series} {number}/{count}"


def require_kernel(path: Path) -> None:
    """Raise `RigError` unless `path` is a kernel tree with panthor in it."""
    if not path.is_dir():
        raise usage(f"no kernel tree at {path}", "give --kernel the folder of a Linux source tree")
    if not (path / "Kconfig").is_file() or not (path / "Makefile").is_file():
        raise usage(f"{path} is not a Linux source tree (no Kconfig)", "check --kernel")
    if not (path / PANTHOR / "panthor_drv.c").is_file():
        raise usage(
            f"{path} has no panthor driver ({PANTHOR})", "panthor is in Linux 6.10 and later"
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise infra(f"cannot read {path}", "check its permissions")
