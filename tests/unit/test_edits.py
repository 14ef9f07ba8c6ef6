# SPDX-License-Identifier: MIT
"""After an edit: the new state and its worktree without a look at every file of the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.kernel.changes import Changes
from rig.kernel.edits import Edits
from rig.kernel.repo import PANTHOR, KernelRepo, Tree
from rig.kernel.worktree import Worktree
from rig.store import Store

DRIVER, FIRMWARE = f"{PANTHOR}/panthor_drv.c", f"{PANTHOR}/panthor_fw.c"
OTHER = "drivers/gpu/other.c"
SOURCE = {
    "Kconfig": "mainmenu\n",
    "Makefile": "all:\n",
    DRIVER: "int driver;\n",
    FIRMWARE: "int fw;\n",
    OTHER: "int other;\n",
    "lib/string.c": "int string;\n",
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    tree = tmp_path / "linux"
    for name, text in SOURCE.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


@pytest.fixture
def repo(tmp_path: Path) -> KernelRepo:
    return KernelRepo(Store(tmp_path / "store"))


class Looked:
    """Counts the looks at the whole tree."""

    def __init__(self, repo: KernelRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        real = repo.snapshot

        def snapshot(path: Path, label: str) -> Tree:
            self.times += 1
            return real(path, label)

        monkeypatch.setattr(repo, "snapshot", snapshot)


def over(root: Path) -> None:
    """As an editor saves: a scratch file takes the place of the old one."""
    (root / f"{FIRMWARE}.new").write_text("int edited;\n")
    (root / f"{FIRMWARE}.new").rename(root / FIRMWARE)


def two(root: Path) -> None:
    (root / DRIVER).write_text("int edited;\n")
    (root / OTHER).write_text("int edited;\n")


def came_and_went(root: Path) -> None:
    (root / "4913").touch()
    (root / "4913").unlink()


def linked(root: Path) -> None:
    (root / OTHER).unlink()
    (root / OTHER).symlink_to("Kconfig")


def made_executable(root: Path) -> None:
    (root / OTHER).chmod(0o755)
    (root / OTHER).write_text("#!\n")


FEW: dict[str, Callable[[Path], object]] = {
    "saved over": over,
    "two files": two,
    "written as it was": lambda root: (root / DRIVER).write_text(SOURCE[DRIVER]),
    "came and went": came_and_went,
}
WHOLE: dict[str, Callable[[Path], object]] = {
    "new": lambda root: (root / PANTHOR / "new.c").write_text("int new;\n"),
    "new folder": lambda root: (root / "drivers" / "deep" / "er").mkdir(parents=True),
    "gone": lambda root: (root / OTHER).unlink(),
    "renamed": lambda root: (root / OTHER).rename(root / PANTHOR / "other.c"),
    "folder renamed": lambda root: (root / "lib").rename(root / "lib2"),
    "a link": linked,
    "executable": made_executable,
    "ignores": lambda root: (root / ".gitignore").write_text("*.o\n"),
}


@pytest.mark.parametrize(("change", "whole"), [
    *(pytest.param(change, 0, id=name) for name, change in FEW.items()),
    *(pytest.param(change, 1, id=name) for name, change in WHOLE.items()),
])  # fmt: skip
def test_an_edited_state_is_that_of_the_whole_tree(
    mine: Path,
    repo: KernelRepo,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
    whole: int,
) -> None:
    looked = Looked(repo, monkeypatch)
    edits = Edits(repo, mine, "mine")
    with Changes([mine]) as changes:
        edits.state(changes.taken())
        for step, times in ((change, whole), (over, 0)):
            step(mine)
            assert changes.wait(5)
            looked.times = 0
            found = edits.state(changes.taken())
            assert looked.times == times
            assert found == repo.snapshot(mine, "mine")


def test_what_is_not_known_is_read_anew(
    mine: Path, repo: KernelRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Looked(repo, monkeypatch)
    edits = Edits(repo, mine, "mine")
    edits.state(set())
    assert looked.times == 1
    two(mine)
    assert edits.state(None) == repo.snapshot(mine, "mine")
    assert edits.state({mine.parent / "series" / "0001.patch"}).label == "mine"
    assert looked.times == 3


def test_a_full_queue_of_changes_is_not_known(mine: Path) -> None:
    with Changes([mine]) as changes:
        two(mine)
        assert changes.wait(5)
        assert changes.taken() == {mine / DRIVER, mine / OTHER}
        assert changes.taken() == set()
        changes._note(-1, 0x4000, "")
        assert changes.taken() is None
        assert changes.taken() == set()


# ---- the worktree
@pytest.fixture
def worktree(repo: KernelRepo) -> Path:
    return repo.worktree


def stamps(repo: KernelRepo) -> dict[str, int]:
    """When each file was written; the index tells whether git looked at all."""
    paths = [p for p in repo.worktree.rglob("*") if p.is_file()]
    paths.append(repo._root / "index-worktree")
    return {path.name: path.stat().st_mtime_ns for path in paths}


def written(repo: KernelRepo, tree: Tree) -> set[str]:
    before = stamps(repo)
    repo.checkout(tree)
    after = stamps(repo)
    return {name for name in after if after[name] != before.get(name)}


def edited(repo: KernelRepo, mine: Path, **texts: str) -> Tree:
    """The user's tree with other texts, by the names of their files without a suffix."""
    for name in SOURCE:
        if (text := texts.get(Path(name).stem)) is not None:
            (mine / name).write_text(text)
    return repo.snapshot(mine, "mine")


def test_an_edit_writes_its_files_alone(mine: Path, repo: KernelRepo) -> None:
    base = edited(repo, mine)
    one, both = edited(repo, mine, panthor_fw="1\n"), edited(repo, mine, panthor_drv="2\n")
    repo.checkout(base)
    for tree, names in (
        (one, {"panthor_fw.c"}),
        (both, {"panthor_drv.c"}),
        (base, {"panthor_drv.c", "panthor_fw.c"}),
    ):
        assert written(repo, tree) == names
        assert_is(repo, tree)


def assert_is(repo: KernelRepo, tree: Tree) -> None:
    assert repo.snapshot(repo.worktree, "worktree").id == tree.id


def test_git_finds_what_it_does_not_know(mine: Path, repo: KernelRepo) -> None:
    """Its index stays behind the edits; another state is made whole all the same."""
    base = edited(repo, mine)
    fw = edited(repo, mine, panthor_fw="other\n")
    both = edited(repo, mine, panthor_drv="other\n")
    outside = edited(repo, mine, other="other\n")
    repo.checkout(base)
    repo.checkout(fw)
    repo.checkout(both)
    assert "index-worktree" in written(repo, outside)
    assert_is(repo, outside)
    repo.checkout(base)
    assert_is(repo, base)


def scribbled(repo: KernelRepo) -> None:
    (repo.worktree / FIRMWARE).write_text("scribble\n")


def added(repo: KernelRepo) -> None:
    (repo.worktree / DRIVER).unlink()


def killed(repo: KernelRepo) -> None:
    (repo._root / "worktree.json").unlink()
    scribbled(repo)


def torn(repo: KernelRepo) -> None:
    (repo._root / "worktree.json").write_text('{"tree": "')


def lost(repo: KernelRepo) -> None:
    (repo._root / "worktree.json").write_text(
        (repo._root / "worktree.json").read_text().replace('"tree": "', '"tree": "0')
    )


def elsewhere(repo: KernelRepo) -> None:
    """A rig that knows nothing of notes makes another state."""
    other = repo.with_files(Tree(_tree_of(repo), "x"), repo._root, [])
    Worktree(repo._root, PANTHOR, repo._git)._whole(other.id)


def _tree_of(repo: KernelRepo) -> str:
    return repo.snapshot(repo.worktree, "x").id


@pytest.mark.parametrize("damage", [scribbled, added, killed, torn, lost, elsewhere])
def test_a_worktree_of_unknown_state_is_made_by_git(
    mine: Path, repo: KernelRepo, damage: Callable[[KernelRepo], None]
) -> None:
    base = edited(repo, mine)
    one = edited(repo, mine, panthor_drv="1\n")
    repo.checkout(base)
    damage(repo)
    assert "index-worktree" in written(repo, one)
    assert_is(repo, one)


def test_files_that_come_or_go_are_gits(mine: Path, repo: KernelRepo) -> None:
    base = edited(repo, mine)
    (mine / PANTHOR / "new.c").write_text("new\n")
    more = edited(repo, mine)
    repo.checkout(base)
    assert "index-worktree" in written(repo, more)
    assert "index-worktree" in written(repo, base)
    assert not (repo.worktree / PANTHOR / "new.c").exists()


def test_a_mode_is_gits_and_stays(mine: Path, repo: KernelRepo) -> None:
    (mine / DRIVER).chmod(0o755)
    base = edited(repo, mine)
    one = edited(repo, mine, panthor_drv="1\n")
    repo.checkout(base)
    assert written(repo, one) == {"panthor_drv.c"}
    assert os.access(repo.worktree / DRIVER, os.X_OK)
    (mine / DRIVER).chmod(0o644)
    assert "index-worktree" in written(repo, edited(repo, mine))
    assert not os.access(repo.worktree / DRIVER, os.X_OK)
