# SPDX-License-Identifier: MIT
"""`rig watch`: what counts as a change, and what a round runs and says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.catalogue import Entry
from rig.cli import main as cli
from rig.errors import FailureClass, RigError, infra
from rig.kernel.changes import Changes
from rig.verdict.verdict import Outcome, Verdict
from rig.watch import Watcher, at_the_users_line

A, B = (Entry("fam", name, Path("fam.py"), f"test_{name}") for name in "ab")


def bed(tree: str, error: RigError | None = None) -> Any:
    def build() -> None:
        if error is not None:
            raise error

    return SimpleNamespace(
        tree=SimpleNamespace(id=tree), build_all=build, require_contract=lambda: None
    )


@dataclass
class Rounds:
    """A watcher whose scenarios fail as the test says, and what it did."""

    bad: set[str] = field(default_factory=set)
    ran: list[list[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watcher = Watcher(
            [A, B],
            self.run,
            lambda verdicts: self.said.append(" ".join(v.outcome.value for v in verdicts)),
            lambda error: self.said.append(error.message),
        )

    def run(self, _bed: object, chosen: Sequence[Entry]) -> list[Verdict]:
        self.ran.append([entry.id for entry in chosen])
        return [Verdict(e.id, Outcome.FAIL if e.id in self.bad else Outcome.PASS) for e in chosen]


def test_what_failed_last_runs_first_and_alone_while_it_fails() -> None:
    rounds = Rounds({B.id})
    rounds.watcher.round(bed("1"))
    rounds.watcher.round(bed("2"))
    rounds.bad.clear()
    rounds.watcher.round(bed("3"))
    rounds.watcher.round(bed("4"))
    assert rounds.ran == [[A.id, B.id], [B.id], [B.id], [A.id], [A.id, B.id]]
    assert rounds.said == ["PASS FAIL", "FAIL", "PASS PASS", "PASS PASS"]


def test_the_same_content_is_not_judged_again() -> None:
    rounds = Rounds()
    assert rounds.watcher.round(bed("1"))
    assert not rounds.watcher.round(bed("1"))
    assert len(rounds.ran) == 1


def test_a_compile_error_is_told_once_and_keeps_what_failed() -> None:
    rounds = Rounds({A.id})
    rounds.watcher.round(bed("1"))
    broken = bed("2", RigError(FailureClass.BUILD, "x.c:1: error: no"))
    rounds.watcher.round(broken)
    rounds.watcher.round(broken)
    rounds.watcher.round(bed("3"))
    assert rounds.said == ["FAIL PASS", "x.c:1: error: no", "FAIL"]


def test_the_rigs_own_failure_ends_it() -> None:
    with pytest.raises(RigError, match="full"):
        Rounds().watcher.round(bed("1", infra("full")))


def test_the_line_is_the_users(tmp_path: Path) -> None:
    tree, worktree = tmp_path / "linux", Path("/cache/src")
    (tree / "drivers").mkdir(parents=True)
    (tree / "drivers" / "a.c").write_text("")

    def told(words: str) -> str:
        error = RigError(FailureClass.BUILD, f"modules: make failed: {words}")
        return at_the_users_line(error, worktree, tree)

    mine = f"{tree}/drivers/a.c:7:3: error: no"
    assert told("/cache/src/drivers/a.c:7:3: error: no") == mine
    assert told("drivers/a.c:7:3: error: no") == mine
    assert told("made.c:7: error: no") == "made.c:7: error: no"
    assert told("no rule") == "modules: make failed: no rule"


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda root: (root / "sub" / "a.c").write_text("b"),
    "new": lambda root: (root / "sub" / "new.c").write_text(""),
    "gone": lambda root: (root / "sub" / "a.c").unlink(),
    "renamed over": lambda root: (root / "other").rename(root / "sub" / "a.c"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "a.c").write_text("a")
    (tmp_path / "other").write_text("o")
    return tmp_path


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_are_seen(root: Path, change: Callable[[Path], object]) -> None:
    with Changes([root]) as changes:
        assert not changes.wait(0)
        change(root)
        assert changes.wait(5)
        assert not changes.wait(0)


def test_folders_that_come_later_are_watched(root: Path) -> None:
    with Changes([root]) as changes:
        (root / "late" / "deep").mkdir(parents=True)
        assert changes.wait(5)
        (root / "late" / "deep" / "b.c").write_text("")
        assert changes.wait(5)


def test_gits_own_files_are_no_change(root: Path) -> None:
    with Changes([root]) as changes:
        (root / ".git" / "index").write_text("")
        assert not changes.wait(0)


def test_a_burst_is_one_change(root: Path) -> None:
    with Changes([root]) as changes:
        for number in range(50):
            (root / "sub" / f"{number}.c").write_text("")
        assert changes.wait(5)
        assert not changes.wait(0)


def test_a_tree_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RigError, match="is no folder"):
        Changes([tmp_path / "absent"])
    assert cli._run(["watch"]) == FailureClass.USAGE.exit_code
    assert "give --kernel TREE" in capsys.readouterr().err
