# SPDX-License-Identifier: MIT
"""Bisection on histories and verdicts made up here, and on a small git tree."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from rig.bisect import Bisection, Bisector, GitHistory, Kind, SeriesHistory
from rig.catalogue import Entry, entries
from rig.cli.bisect import _since
from rig.cli.series import _RANGE
from rig.errors import FailureClass, RigError
from rig.kernel.patches import base_commit, from_stdin, load_series
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.revisions import Revisions, base_note
from rig.series import states_of_commits
from rig.states import Judged, Ruling, State
from rig.store import Store
from rig.verdict.verdict import Outcome, Verdict

ENTRY = entries()[0]
OK = Verdict(ENTRY.id, Outcome.PASS)
BAD = Verdict(ENTRY.id, Outcome.FAIL, "heap ignored 3 times", FailureClass.ASSERT)
OTHER = Verdict(ENTRY.id, Outcome.FAIL, "oops in foo", FailureClass.OOPS)
BROKEN = Verdict(ENTRY.id, Outcome.ERROR, "does not build", FailureClass.BUILD)
LOST = Verdict(ENTRY.id, Outcome.ERROR, "the guest vanished", FailureClass.LOST)
LETTERS = {"g": OK, "b": BAD, "o": OTHER, "x": BROKEN, "L": LOST}


class FakeJudge:
    """State n answers with the n-th word's letters in turn, then with its last."""

    def __init__(self, words: str) -> None:
        self.words = words.split()
        self.asked: list[str] = []

    def rule(self, state: State, chosen: Sequence[Entry], turn: int = 1) -> Ruling:
        self.asked.append(state.name)
        word = self.words[int(state.name)]
        return Ruling(state, (Judged(LETTERS[word[min(turn, len(word)) - 1]]),))


def search(
    words: str, good: int = 0, bad: int | None = None, repeat: int = 1
) -> tuple[Bisection, FakeJudge]:
    judge = FakeJudge(words)
    states = [State(str(n), f"patch {n}", Tree(str(n), "")) for n in range(len(judge.words))]
    bisector = Bisector(SeriesHistory(states), judge, ENTRY, lambda _line: None, repeat)
    last = len(states) - 1 if bad is None else bad
    return bisector.search(str(good), str(last)), judge


@pytest.mark.parametrize("first", range(1, 41))
def test_every_place_of_a_bad_patch_among_forty(first: int) -> None:
    found, judge = search(" ".join("b" if n >= first else "g" for n in range(41)))
    assert found.first_bad.state.name == str(first)
    assert found.suspects == ()
    assert len(judge.asked) <= 2 + 6
    assert "no flake seen" in found.confidence()


def test_neighbours_need_no_step() -> None:
    found, judge = search("g b")
    assert found.first_bad.state.name == "1"
    assert judge.asked == ["1", "0"]


def test_skips_on_the_way_do_not_mislead() -> None:
    found, _ = search("g g x g b b x b b")
    assert found.first_bad.state.name == "4"
    assert found.suspects == ()


def test_skips_at_the_border_are_suspects() -> None:
    found, _ = search("g g g x o b b b b")
    assert found.first_bad.state.name == "5"
    assert sorted(state.name for state in found.suspects) == ["3", "4"]


def test_another_signature_is_a_skip_and_says_so() -> None:
    found, _ = search("g g o b")
    (skip,) = [one for one in found.decisions if one.kind is Kind.SKIP]
    assert skip.state.name == "2"
    assert "fails with another signature: OOPS: oops in foo" in skip.line()
    assert [state.name for state in found.suspects] == ["2"]


def test_a_good_that_fails_is_refused() -> None:
    with pytest.raises(RigError, match=r"GOOD \(0\) does not pass .*heap ignored") as caught:
        search("b b b")
    assert caught.value.failure is FailureClass.USAGE


@pytest.mark.parametrize("word", ["x", "o"])
def test_a_good_that_cannot_be_judged_is_refused(word: str) -> None:
    with pytest.raises(RigError, match=r"GOOD \(0\) does not pass"):
        search(f"{word} g b")


@pytest.mark.parametrize("word", ["g", "x"])
def test_a_bad_that_does_not_fail_is_refused(word: str) -> None:
    with pytest.raises(RigError, match=r"BAD \(2\) does not fail") as caught:
        search(f"g g {word}")
    assert caught.value.failure is FailureClass.USAGE


def test_the_rigs_own_failure_stops_the_search() -> None:
    with pytest.raises(RigError, match="the guest vanished") as caught:
        search("g g L b b")
    assert caught.value.failure is FailureClass.LOST


def test_a_number_that_the_series_does_not_have() -> None:
    with pytest.raises(RigError, match="no patch 9"):
        search("g b", bad=9)


def test_repeat_is_what_a_verdict_rests_on() -> None:
    found, judge = search("g g b b", repeat=3)
    assert [len(one.runs) for one in found.decisions] == [3] * len(found.decisions)
    assert len(judge.asked) == 3 * len(found.decisions)


def test_repeated_runs_are_those_of_one_search(tmp_path: Path) -> None:
    """Stopped before its end it goes on; a new search, or --again, starts from nothing."""
    mark = tmp_path / "mark"
    assert _since(mark, 1, again=False) == 0
    assert not mark.exists()
    begun = _since(mark, 3, again=False)
    assert begun > 0
    assert _since(mark, 3, again=False) == begun
    assert _since(mark, 3, again=True) > begun
    mark.unlink()
    assert _since(mark, 3, again=False) > begun


def test_a_flake_is_repeated_counted_and_told() -> None:
    found, _ = search("g g ggbg b", repeat=3)
    assert found.first_bad.state.name == "2"
    (flaky,) = [one for one in found.decisions if one.state.name == "2"]
    assert (len(flaky.runs), flaky.hits) == (6, 1)
    assert "6 runs, 1 with the signature" in flaky.line()
    # (4 + 1) / (9 + 2) of the runs of a bad state fail: three that pass are (6/11)^3 likely
    assert found.confidence() == (
        "confidence 83.77%: bad states failed in 4 of 9 runs (flaky), each good one passed "
        "3 of 3; --repeat 8 would make it 99%"
    )


def test_one_run_is_no_certainty_and_enough_are() -> None:
    found, _ = search("g b")
    assert found.confidence().startswith("confidence 66.67%: bad states failed in 1 of 1 runs")
    assert "--repeat 5 would make it 99%" in found.confidence()
    found, _ = search("g g b b", repeat=3)
    assert found.confidence().startswith("confidence 99.80%")
    assert "would make" not in found.confidence()


def test_a_state_that_passes_and_fails_otherwise_is_a_skip() -> None:
    found, _ = search("g go b", repeat=2)
    assert [state.name for state in found.suspects] == ["1"]


def git(tree: Path, *argv: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", "-C", str(tree), *names, *argv], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return done.stdout.strip()


def commit(tree: Path, text: str) -> str:
    (tree / "file").write_text(text)
    git(tree, "add", "file")
    git(tree, "commit", "-q", "-m", f"say {text}")
    return git(tree, "rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / 'users "own": tree'
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    return path


class ByContent:
    """Bad from the text "5" on."""

    def __init__(self, repo: KernelRepo) -> None:
        self._repo = repo

    def rule(self, state: State, chosen: Sequence[Entry], turn: int = 1) -> Ruling:
        assert state.tree is not None
        content = self._repo.read(state.tree, "file")
        assert content is not None
        return Ruling(state, (Judged(BAD if int(content) >= 5 else OK),))


def files(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_a_git_tree_is_searched_and_never_written(tree: Path, tmp_path: Path) -> None:
    commits = [commit(tree, str(n)) for n in range(9)]
    before = files(tree)
    revisions = Revisions(tree)
    repo = KernelRepo(Store(tmp_path / "cache"), borrow=revisions.objects)
    history = GitHistory(revisions, repo, [])
    bisector = Bisector(history, ByContent(repo), ENTRY, lambda _line: None)
    found = bisector.search(revisions.commit("HEAD~8"), revisions.commit("main"))
    assert found.first_bad.state.name == commits[5]
    assert found.first_bad.state.title == "say 5"
    assert (
        repo.without(revisions.tree(commits[5]), "no-such-folder") == revisions.tree(commits[5]).id
    )
    assert files(tree) == before


FIXUP = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Tester <tester@example.invalid>
Subject: [PATCH] mend it

---
diff --git a/file b/file
--- a/file
+++ b/file
@@ -1 +1 @@
-{}
\\ No newline at end of file
+{}
\\ No newline at end of file
"""


def test_a_fix_up_is_for_the_commits_that_lack_it(tree: Path, tmp_path: Path) -> None:
    """Where its change is already there it is not wanted; elsewhere the state has no tree."""
    commits = [commit(tree, str(n)) for n in (1, 2, 3)]
    patch = tmp_path / "0001-mend.patch"
    patch.write_text(FIXUP.format(1, 2))
    revisions = Revisions(tree)
    repo = KernelRepo(Store(tmp_path / "cache"), borrow=revisions.objects)
    states = [GitHistory(revisions, repo, load_series(patch)).state(name) for name in commits]
    found = [state.tree and repo.read(state.tree, "file") for state in states]
    assert found == [b"2", b"2", None]
    assert states[2].refusal is not None
    assert "fix-ups: patch 1/1 (mend it) does not apply" in states[2].refusal.message


def test_a_merged_branch_is_searched_too(tree: Path, tmp_path: Path) -> None:
    good = commit(tree, "0")
    git(tree, "checkout", "-q", "-b", "side")
    culprit = commit(tree, "5")
    git(tree, "checkout", "-q", "main")
    git(tree, "commit", "-q", "--allow-empty", "-m", "elsewhere")
    git(tree, "merge", "-q", "--no-ff", "-m", "merge", "side")
    revisions = Revisions(tree)
    repo = KernelRepo(Store(tmp_path / "cache"), borrow=revisions.objects)
    history = GitHistory(revisions, repo, [])
    found = Bisector(history, ByContent(repo), ENTRY, lambda _line: None).search(
        good, revisions.commit("main")
    )
    assert found.first_bad.state.name == culprit


def test_commits_are_a_series_too(tree: Path, tmp_path: Path) -> None:
    commits = [commit(tree, str(n)) for n in range(4)]
    before = files(tree)
    revisions = Revisions(tree)
    repo = KernelRepo(Store(tmp_path / "cache"), borrow=revisions.objects)
    states = states_of_commits(revisions, commits[1], commits[3])
    assert [state.name for state in states] == ["0", "1", "2"]
    assert [state.title.split(" ", 1)[1] for state in states] == ["say 1", "say 2", "say 3"]
    found = [repo.read(state.tree, "file") for state in states if state.tree]
    assert found == [b"1", b"2", b"3"]
    assert files(tree) == before
    with pytest.raises(RigError, match="there is no commit in"):
        states_of_commits(revisions, commits[3], commits[1])


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("v7.3..HEAD", ("v7.3", "HEAD")),
        ("origin/next..", ("origin/next", "")),
        ("v7.3-rc1..topic/v5.2", ("v7.3-rc1", "topic/v5.2")),
        ("../v5.mbox", None),
        ("a/../v5.mbox", None),
        ("..", None),
        ("v5.mbox", None),
    ],
)
def test_what_is_a_range_of_commits(text: str, ends: tuple[str, str] | None) -> None:
    match = _RANGE.fullmatch(text)
    assert (match and match.groups()) == ends


def mails(tree: Path, base: str) -> bytes:
    """As b4 hands a series on: a cover letter that names the base, and the patches."""
    text = git(tree, "format-patch", "--stdout", "--cover-letter", f"--base={base}", base)
    return text.encode() + b"\n"


def test_the_base_that_a_series_names_is_compared(tree: Path, tmp_path: Path) -> None:
    base = commit(tree, "0")
    tip = commit(tree, "1")
    mbox = tmp_path / "v2.mbox"
    mbox.write_bytes(mails(tree, base))
    assert base_commit(mbox) == base
    assert [patch.subject for patch in load_series(mbox)] == ["say 1"]
    git(tree, "checkout", "-q", base)
    assert base_note(mbox, tree) == ""
    git(tree, "checkout", "-q", "main")
    assert f"v2.mbox was made on {base[:12]}" in base_note(mbox, tree)
    assert f"is on {tip[:12]}, and the base is 1 commits behind it" in base_note(mbox, tree)
    git(tree, "checkout", "-q", "--orphan", "elsewhere")
    commit(tree, "2")
    assert "not in its history" in base_note(mbox, tree)
    assert "no history to compare with" in base_note(mbox, None)
    mbox.write_bytes(mbox.read_bytes().replace(base.encode(), b"f" * 40))
    assert "does not have" in base_note(mbox, tree)


def test_a_series_without_a_base_says_nothing(tree: Path, tmp_path: Path) -> None:
    commit(tree, "0")
    (tmp_path / "0001-x.patch").write_text("base-commit: none of it\n")
    assert base_commit(tmp_path) == ""
    assert base_note(tmp_path, tree) == ""


def test_a_series_on_stdin_is_kept_by_its_content(tree: Path, tmp_path: Path) -> None:
    base = commit(tree, "0")
    commit(tree, "1")
    text = mails(tree, base)
    kept = [from_stdin(Path("-"), tmp_path, io.BytesIO(text)) for _ in range(2)]
    assert kept[0] == kept[1]
    assert [patch.subject for patch in load_series(kept[0])] == ["say 1"]
    assert from_stdin(Path("a.mbox"), tmp_path, io.BytesIO(text)) == Path("a.mbox")
    with pytest.raises(RigError, match="no series on stdin") as caught:
        from_stdin(Path("-"), tmp_path, io.BytesIO(b"\n"))
    assert caught.value.failure is FailureClass.USAGE


def test_what_is_no_revision(tree: Path) -> None:
    commit(tree, "0")
    with pytest.raises(RigError, match="no commit 'v9-9'") as caught:
        Revisions(tree).commit("v9-9")
    assert caught.value.failure is FailureClass.USAGE


def test_what_is_no_git_tree(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="not a git repository"):
        Revisions(tmp_path)
