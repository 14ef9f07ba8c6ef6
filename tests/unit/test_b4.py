# SPDX-License-Identifier: MIT
"""b4's external check: which states a mail means, and what b4 is told of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rig import b4
from rig.errors import FailureClass, RigError
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.revisions import Revisions
from rig.kernel.warnings import Compiled
from rig.states import Judged, Ruling, State
from rig.store import Store
from rig.verdict.verdict import Outcome, Verdict


def git(tree: Path, *argv: str) -> bytes:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    command = ["git", "-C", str(tree), *names, *argv]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four commits, `say 0` to `say 3`."""
    path = tmp_path / "tree"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    for number in range(4):
        (path / "file").write_text(f"{number}\n")
        git(path, "add", "file")
        git(path, "commit", "-q", "-m", f"say {number}")
    return path


def mails(tree: Path, *, cover: bool) -> list[bytes]:
    """The last three commits as their author sends them."""
    options = ["--thread", "--cover-letter"] if cover else ["--thread"]
    text = git(tree, "format-patch", "--stdout", *options, "HEAD~3").decode()
    found = [f"From {part}".encode() for part in text.split("\nFrom ")]
    found[0] = found[0].removeprefix(b"From ")
    return found[1:] if cover else found


def bare(mail: bytes) -> bytes:
    """b4 gives no mbox line."""
    return mail.split(b"\n", 1)[1]


def said(repo: KernelRepo, states: tuple[State, State]) -> list[bytes | None]:
    return [repo.read(state.tree, "file") for state in states if state.tree]


@pytest.fixture
def repo(tree: Path, tmp_path: Path) -> KernelRepo:
    return KernelRepo(Store(tmp_path / "cache"), borrow=Revisions(tree).objects)


@pytest.mark.parametrize("strip", [True, False])
def test_a_patch_that_is_a_commit_is_judged_there(
    tree: Path, repo: KernelRepo, tmp_path: Path, strip: bool
) -> None:
    """`b4 prep --check`: the branch has the patches."""
    data = mails(tree, cover=True)[1]
    mail = b4.receive(bare(data) if strip else data, tmp_path / "keep")
    assert (mail.number, mail.patch.subject) == (2, "say 2")
    assert said(repo, b4.states(mail, Revisions(tree), repo)) == [b"1\n", b"2\n"]


@pytest.mark.parametrize("cover", [True, False])
def test_a_patch_of_others_goes_on_top_of_those_before_it(
    tree: Path, repo: KernelRepo, tmp_path: Path, cover: bool
) -> None:
    """`b4 am`: HEAD is what the series is meant for."""
    series = [b4.receive(bare(data), tmp_path / "keep") for data in mails(tree, cover=cover)]
    git(tree, "checkout", "-q", "HEAD~3")
    found = [said(repo, b4.states(mail, Revisions(tree), repo)) for mail in series]
    assert found == [[b"0\n", b"1\n"], [b"1\n", b"2\n"], [b"2\n", b"3\n"]]


def test_a_patch_without_those_before_it_is_not_judged(
    tree: Path, repo: KernelRepo, tmp_path: Path
) -> None:
    mail = b4.receive(bare(mails(tree, cover=True)[2]), tmp_path / "keep")
    git(tree, "checkout", "-q", "HEAD~3")
    with pytest.raises(RigError, match="patch 1 of its series was not checked before"):
        b4.states(mail, Revisions(tree), repo)


def test_a_patch_that_does_not_apply_has_no_tree(
    tree: Path, repo: KernelRepo, tmp_path: Path
) -> None:
    mail = b4.receive(bare(mails(tree, cover=True)[0]), tmp_path / "keep")
    (tree / "file").write_text("another\n")
    git(tree, "checkout", "-q", "--orphan", "other")
    git(tree, "commit", "-q", "-a", "-m", "another")
    before, after = b4.states(mail, Revisions(tree), repo)
    assert before.tree is not None
    assert after.tree is None
    assert after.refusal is not None
    assert "does not apply" in after.refusal.message


def test_the_first_commit_is_nobodys_patch(tree: Path, repo: KernelRepo, tmp_path: Path) -> None:
    """Of a shallow clone it holds the whole kernel, and reading that takes minutes."""
    git(tree, "checkout", "-q", "HEAD~3")
    root = git(tree, "format-patch", "--root", "--stdout", "-1", "HEAD")
    with pytest.raises(RigError, match="does not apply"):
        _, after = b4.states(b4.receive(root, tmp_path / "keep"), Revisions(tree), repo)
        raise after.refusal or AssertionError


def test_what_is_no_patch(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="no patch found") as caught:
        b4.receive(b"Subject: hello\n\nyou\n", tmp_path)
    assert caught.value.failure is FailureClass.USAGE


NAMES = ("family/one", "family/two")
OK = (Outcome.PASS, None, "")
BAD = (Outcome.FAIL, FailureClass.ASSERT, "3 pages\nare left")
OTHER = (Outcome.FAIL, FailureClass.OOPS, "oops in foo")
BROKEN = (Outcome.ERROR, FailureClass.BUILD, "a.c:1: error")
NOT = (Outcome.NOT_APPLICABLE, FailureClass.NOT_APPLICABLE, "needs the contract heap-name")
Told = tuple[Outcome, FailureClass | None, str]


def row(number: int, told: Told, compiled: Compiled | None = None) -> Ruling:
    outcome, failure, sentence = told
    judged = tuple(Judged(Verdict(name, outcome, sentence, failure)) for name in NAMES)
    state = State(str(number), "", Tree(str(number), ""))
    return Ruling(state, judged, compiled=compiled or Compiled())


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (OK, OK, []),
        (BAD, OK, []),
        (NOT, OK, []),
        (OK, BAD, [f"ERROR: {name}: ASSERT: 3 pages are left" for name in NAMES]),
        (OTHER, BAD, [f"ERROR: {name}: ASSERT: 3 pages are left" for name in NAMES]),
        (BROKEN, BAD, [f"ERROR: {name}: ASSERT: 3 pages are left" for name in NAMES]),
        (BAD, BAD, [f"as before this patch: {name}: ASSERT: 3 pages are left" for name in NAMES]),
        (OK, BROKEN, ["ERROR: BUILD: a.c:1: error (2 scenarios)"]),
        (NOT, NOT, ["NOT_APPLICABLE: needs the contract heap-name (2 scenarios)"]),
    ],
)
def test_what_b4_is_told(before: Told, after: Told, lines: list[str]) -> None:
    """A line with ERROR: is a failure to b4, any other a warning, none a success."""
    assert b4.lines([row(0, before), row(1, after)]) == lines


def test_a_new_compiler_warning_is_a_warning() -> None:
    old, new = ("a.c", "unused variable 'x'"), ("a.c", "unused variable 'y'")
    compiled = [
        Compiled(frozenset({"a"}), frozenset({old})),
        Compiled(frozenset({"a"}), frozenset({old, new})),
    ]
    rows = [row(number, OK, one) for number, one in enumerate(compiled)]
    assert b4.lines(rows) == ["a.c: unused variable 'y'"]
