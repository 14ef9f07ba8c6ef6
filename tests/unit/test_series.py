# SPDX-License-Identifier: MIT
"""The matrix over a series: rows, marks, reuse by content; no guest is booted."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from rig import states as states_module
from rig.catalogue import Entry, entries, select
from rig.errors import FailureClass, RigError, infra
from rig.kernel.patches import Patch
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.warnings import Compiled, read
from rig.options import Options
from rig.report.matrix import print_matrix, write_json
from rig.runner import RunResult
from rig.series import findings, matrix, new_warnings, states_of
from rig.states import Judged, Pin, Referee, Ruling, State
from rig.store import Store
from rig.testbed import TestBed
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict, exit_code

PASS, FAIL, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.NOT_APPLICABLE
CHOSEN = select(["probe-defer/heap-late"], entries())
NAME = CHOSEN[0].id


def fail(sentence: str, failure: FailureClass = FailureClass.PROBE) -> Verdict:
    return Verdict(NAME, FAIL, sentence, failure)


def error(failure: FailureClass) -> Verdict:
    return Verdict(NAME, Outcome.ERROR, "it broke", failure)


def rows(*verdicts: Verdict) -> list[Ruling]:
    return [
        Ruling(State(str(n), f"patch {n}", Tree(f"t{n}", "")), (Judged(verdict),), "heap-name")
        for n, verdict in enumerate(verdicts)
    ]


OK = Verdict(NAME, PASS)
NOT_YET = Verdict(NAME, SKIPPED, "needs heap-name", FailureClass.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("probe returned -12", "probe returned -517"),
        ("WARNING in foo+0x1c/0x80 at 0xffff800012345678", "WARNING in foo+0x20/0x84 at 0xffff1"),
        ("bad section (and 2 more)", "bad section"),
        ("oops in foo (after: the guest did not answer)", "oops in foo (after: 'x' is lost)"),
        ("no region runs (kernel log: panthor error: FW (1) hangs (and 2 more))", "no region runs"),
        ("see /tmp/run/a.log", "see /tmp/other/b.log"),
        ("12 power-ons after 1.5 s", "3 power-ons after 20 s"),
    ],
)
def test_what_changes_from_run_to_run_is_not_in_a_signature(one: str, other: str) -> None:
    assert signature_of(fail(one)) == signature_of(fail(other))


def test_class_and_words_are_the_signature() -> None:
    known = signature_of(fail("panthor bound although its heap is absent"))
    assert known is not None
    assert known != signature_of(fail("panthor did not bind"))
    assert signature_of(fail("kernel log: a")) != signature_of(fail("kernel log: b"))
    assert known != signature_of(
        fail("panthor bound although its heap is absent", FailureClass.ASSERT)
    )
    assert signature_of(OK) is None
    assert signature_of(error(FailureClass.BUILD)) is None


def test_a_failure_is_found_once_where_it_came_in() -> None:
    found = findings(rows(NOT_YET, OK, fail("a 1"), fail("a 2"), OK, fail("a 3"), fail("b")))
    assert [(one.row, one.number, one.new) for one in found] == [
        (2, 1, True), (5, 1, True), (6, 2, True),
    ]  # fmt: skip


LOG = """\
$ make -j2 O=/c/made/linux/obj-rig Image modules
  CC [M]  drivers/gpu/drm/panthor/panthor_fw.o
/c/made/linux/src/drivers/gpu/drm/panthor/panthor_fw.c: In function 'f':
/c/made/linux/src/drivers/gpu/drm/panthor/panthor_fw.c:12:6: warning: unused 'x' [-Wunused]
  CC      drivers/dma-buf/dma-heap.o
../src/drivers/dma-buf/dma-heap.c:7: warning: odd
panthor_fw.c:1: error: warning: no
"""


def test_the_compilers_words_are_read(tmp_path: Path) -> None:
    log = tmp_path / "image.log"
    log.write_text(LOG)
    found = read([log, tmp_path / "gone.log"], Path("/c/made/linux/src"))
    assert found.objects == {"drivers/gpu/drm/panthor/panthor_fw", "drivers/dma-buf/dma-heap"}
    assert found.warnings == {
        ("drivers/gpu/drm/panthor/panthor_fw.c", "unused 'x' [-Wunused]"),
        ("drivers/dma-buf/dma-heap.c", "odd"),
    }


def compiled(words: dict[str, str], *others: str) -> Compiled:
    names = [*words, *others]
    objects = frozenset(name.removesuffix(".c") for name in names if name.endswith(".c"))
    return Compiled(objects, frozenset((file, said) for file, said in words.items() if said))


def test_a_warning_is_told_once_by_the_patch_that_brought_it(tmp_path: Path) -> None:
    table = [
        replace(row, compiled=what)
        for row, what in zip(
            rows(*[OK] * 5),
            [
                compiled({"a.c": "old"}, "b.c"),
                compiled({"a.c": "old", "b.c": "new"}),
                compiled({"b.c": "new", "c.c": "unseen"}),
                compiled({}, "b.c"),
                compiled({"b.c": "new", "x.h": "in a header"}),
            ],
            strict=True,
        )
    ]
    assert [(one.row, one.file, one.sure) for one in new_warnings(table)] == [
        (1, "b.c", True), (2, "c.c", False), (4, "x.h", True),
    ]  # fmt: skip
    console = Console(width=160)
    with console.capture() as said:
        print_matrix(console, "title", table)
    lines = said.get().splitlines()
    assert "patch 1 brings in a compiler warning: b.c: new" in lines
    assert any("patch 2 " in line and "may be older" in line for line in lines)
    write_json(tmp_path / "t.json", table)
    states = json.loads((tmp_path / "t.json").read_text())["states"]
    assert [len(one["new_warnings"]) for one in states] == [0, 1, 1, 0, 1]


def test_the_logs_of_a_states_own_build_are_read(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path)
    referee = runs.referee()
    logs = tmp_path / "cache/logs"
    (logs / "modules-a.log").write_text(LOG)
    (logs / "modules-b.log").write_text("  CC      x.o\n")
    assert len(referee.rule(state("a"), CHOSEN).compiled.warnings) == 2
    assert referee.rule(state("b"), CHOSEN).compiled == Compiled(frozenset({"x"}))


def test_states_that_cannot_be_judged_share_the_suspicion() -> None:
    (found,) = findings(rows(OK, error(FailureClass.BUILD), fail("a")))
    assert (found.row, found.unjudged) == (2, ("1",))
    assert findings(rows(fail("a"), error(FailureClass.BUILD), fail("a")))[1:] == []


def test_a_scenario_that_fails_where_it_first_applies_says_so() -> None:
    (found,) = findings(rows(NOT_YET, fail("a")))
    assert not found.new


def test_the_table_says_all_of_it() -> None:
    table = rows(NOT_YET, OK, error(FailureClass.BUILD), fail("panthor bound"), OK)
    table[4] = Ruling(table[4].state, (Judged(OK, reused=True),), "heap-name")
    noted = replace(OK, notes=(Note(NoteKind.INTEGRATION, "no such heap"),))
    for number in (1, 4):
        old = table[number].judged[0]
        table[number] = replace(table[number], judged=(replace(old, verdict=noted),))
    console = Console(width=160, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as said:
        print_matrix(console, "title", table)
    lines = said.get().splitlines()
    cells = [next(line for line in lines if f"patch {n} " in line) for n in range(5)]
    assert "NOT_APPLICABLE" in cells[0]
    assert "BUILD" in cells[2]
    assert "> FAIL PROBE [1]" in cells[3]
    assert "PASS =" in cells[4]
    assert any(line.startswith(f"[1] {NAME}: patch 3: PROBE: panthor bound") for line in lines)
    assert any("not judged just before: 2" in line for line in lines)
    assert f"{NAME} (patch 1, 4): INTEGRATION: no such heap" in lines


class FakeRepo:
    """Patches whose diff is b"bad" do not apply."""

    def apply_each(self, base: Tree, patches: Sequence[Patch], series: str) -> object:
        for number, patch in enumerate(patches, 1):
            if patch.diff == b"bad":
                raise RigError(FailureClass.BUILD, f"patch {number} does not apply")
            yield Tree(f"{base.id}+{number}", "")


def test_behind_a_patch_that_does_not_apply_nothing_is_judged(tmp_path: Path) -> None:
    patches = [Patch(f"p{n}", b"bad" if n == 2 else b"", f"{n}.patch") for n in (1, 2, 3, 4)]
    states = states_of(cast(KernelRepo, FakeRepo()), Tree("base", "Linux"), patches, "s")
    assert [state.tree.id if state.tree else None for state in states] == [
        "base", "base+1", None, None, None,
    ]  # fmt: skip
    judge = FakeRuns(tmp_path)
    table = matrix(judge.referee(), states, CHOSEN)
    assert [row.judged[0].verdict.outcome for row in table] == [PASS, PASS, *[Outcome.ERROR] * 3]
    assert [row.judged[0].verdict.sentence for row in table[2:]] == [
        "patch 2 does not apply",
        *["not tried: patch 2 does not apply"] * 2,
    ]
    assert exit_code([table[-1].judged[0].verdict]) == 125


class FakeBed:
    """A machine whose states are their tree ids; `no-code-change` ends like its base."""

    def __init__(self, root: Path, tree: Tree | None = None) -> None:
        self.root, self.tree = root, tree
        self.builder = SimpleNamespace(store=Store(root / "cache"))
        self.options = Options()
        self.repo = SimpleNamespace(worktree=Path("/c/made/linux/src"))
        self.contract = SimpleNamespace(contract=SimpleNamespace(name="heap-name"))
        for part in ("image", "qemu", "firmware"):
            setattr(self, part, root / part / "key")
        self.rootfs, self.mcu_firmware = root / "rootfs/key/r", root / "mcu/key/m"

    def at(self, tree: Tree, _repo: object) -> FakeBed:
        bed = FakeBed(self.root, tree)
        bed.options = self.options
        return bed

    @property
    def modules(self) -> Path:
        assert self.tree is not None
        code = self.tree.id.removesuffix("-no-code-change")
        folder = self.root / "modules" / self.tree.id / "root"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "panthor.ko").write_text(code)
        return folder.parent

    def build_all(self) -> None:
        assert self.tree is not None
        if "no-build" in self.tree.id:
            raise RigError(FailureClass.BUILD, "panthor_fw.c:1: error")
        if "no-disk" in self.tree.id:
            raise infra("no space left")

    def require_contract(self) -> None:
        pass


class FakeRuns:
    """Instead of guests: counts them, and answers with `verdict`."""

    def __init__(self, root: Path, verdict: Verdict = OK) -> None:
        self.root, self.verdict = root, verdict
        self.guests = 0

    def referee(self, *, since: float = 0.0) -> Referee:
        bed = cast(TestBed, FakeBed(self.root))
        return Referee(bed, self.root / "run", since=since, runner=self._run)

    def _run(self, _bed: TestBed, chosen: Sequence[Entry], folder: Path) -> RunResult:
        self.guests += len(chosen)
        return RunResult([self.verdict] * len(chosen), folder, 0.1)


@pytest.fixture(autouse=True)
def digest_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states_module, "code_digest", lambda path: path.read_text())


def state(name: str) -> State:
    return State("1", name, Tree(name, name))


@pytest.mark.parametrize("verdict", [OK, NOT_YET, fail("a 1")])
def test_a_verdict_of_the_same_content_is_reused(tmp_path: Path, verdict: Verdict) -> None:
    runs = FakeRuns(tmp_path, verdict)
    first = runs.referee().rule(state("a"), CHOSEN).judged[0]
    for name in ("a", "a-no-code-change"):  # in another process: nothing but the store is shared
        kept = runs.referee().rule(state(name), CHOSEN).judged[0]
        assert kept.reused
        assert (kept.verdict.outcome, kept.verdict.failure) == (verdict.outcome, verdict.failure)
        assert kept.verdict.sentence == verdict.sentence
    assert not first.reused
    assert runs.guests == 1


def test_another_content_or_turn_is_judged(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path)
    runs.referee().rule(state("a"), CHOSEN)
    runs.referee().rule(state("b"), CHOSEN)
    runs.referee().rule(state("a"), CHOSEN, turn=2)
    assert runs.guests == 3


def test_booted_and_restored_guests_have_verdicts_of_their_own(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path)
    runs.referee().rule(state("a"), CHOSEN)
    cold = runs.referee()
    cold.bed.options = replace(cold.bed.options, cold=True)
    assert not cold.rule(state("a"), CHOSEN).judged[0].reused


def test_what_the_rig_could_not_find_is_not_kept(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path, error(FailureClass.BOOT))
    for _ in range(2):
        assert not runs.referee().rule(state("a"), CHOSEN).judged[0].reused
    assert runs.guests == 2


def test_a_hang_is_not_kept(tmp_path: Path) -> None:
    """A deadline on a busy machine looks the same."""
    runs = FakeRuns(tmp_path, fail("no answer", FailureClass.HANG))
    for _ in range(2):
        assert not runs.referee().rule(state("a"), CHOSEN).judged[0].reused
    assert runs.guests == 2


def test_what_is_older_than_the_search_does_not_count(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path)
    runs.referee().rule(state("a"), CHOSEN)
    referee = runs.referee(since=time.time())
    assert not referee.rule(state("a"), CHOSEN).judged[0].reused
    assert referee.rule(state("a-no-code-change"), CHOSEN).judged[0].reused
    assert runs.guests == 2


@pytest.mark.parametrize("edit", ["write", "add", "delete"])
def test_a_rig_that_is_edited_halfway_ends_the_search(tmp_path: Path, edit: str) -> None:
    file = tmp_path / "kit.py"
    file.write_text("a")
    pin = Pin([tmp_path])
    (tmp_path / "kit.pyc").write_text("python's own")
    pin.check()
    if edit == "delete":
        file.unlink()
    else:
        (file if edit == "write" else tmp_path / "new.py").write_text("b")
    with pytest.raises(RigError, match="was changed while it searched") as caught:
        pin.check()
    assert caught.value.failure is FailureClass.INFRA


def test_a_state_that_does_not_build_is_a_verdict_and_a_full_disk_is_not(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path)
    (judged,) = runs.referee().rule(state("no-build"), CHOSEN).judged
    assert judged.verdict.exit_code == 125
    with pytest.raises(RigError, match="no space"):
        runs.referee().rule(state("no-disk"), CHOSEN)


def test_the_rigs_own_failure_ends_the_matrix(tmp_path: Path) -> None:
    runs = FakeRuns(tmp_path, error(FailureClass.LOST))
    with pytest.raises(RigError, match="it broke"):
        matrix(runs.referee(), [state("a")], CHOSEN)
