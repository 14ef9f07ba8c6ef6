# SPDX-License-Identifier: MIT
"""Judge and runner without a guest: whatever a scenario does, no hole becomes a pass."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig import interrupt, tested
from rig import judge as judge_module
from rig import store as store_module
from rig.artifacts.kernel import RIG
from rig.catalogue import Entry, entries
from rig.errors import FailureClass, RigError
from rig.gpu.events import EventLog
from rig.guest.shell import LAST
from rig.kernel.contract import HEAP_NAME, Detected
from rig.options import Options
from rig.runner import new_run_dir, run
from rig.scenarios import kit
from rig.session import BOOT, Start
from rig.store import Store
from rig.ui import Reporter
from rig.verdict.oracles import Complaint
from rig.verdict.verdict import NoteKind, Outcome, Verdict, exit_code

INFRA = FailureClass.INFRA


INPUTS = tested.Inputs("0", "tree", "Linux", "heap-name", "", "id", [], "g610", {}, False, {}, [])


@dataclass
class FakeSession:
    """A guest that says what the test wants it to have said."""

    bed: Any
    run_dir: Path
    config: Any
    stage: str
    timings: dict[str, float] = field(default_factory=lambda: {"boot": 1.0})
    shell: Any = None
    vm: Any = None
    start: Start = BOOT

    @property
    def gpu(self) -> EventLog:
        return EventLog(self.run_dir / "gpu-events.jsonl")

    def __enter__(self) -> FakeSession:
        if "told_to_end" in str(self.run_dir).replace("-", "_"):
            try:
                interrupt.on_signal(signal.SIGTERM, None)
            finally:  # what was half started does not go
                raise RigError(INFRA, "the files of the run could not be removed in time")
        if "boot_fails" in str(self.run_dir).replace("-", "_"):
            raise RigError(FailureClass.BOOT, "no user space")
        self.run_dir.mkdir(parents=True, exist_ok=True)
        console = SimpleNamespace(last_words=lambda: LAST + "[ 1.0] a / rig# ")
        self.vm = SimpleNamespace(pid=1, spec=SimpleNamespace(console_log=None), console=console)
        return self

    def anchor(self) -> None:
        """Nothing to note."""

    def __exit__(self, *_exc: object) -> None:
        if "teardown" in str(self.run_dir):
            raise RigError(INFRA, "QEMU did not go")


class Bench:
    """Runs private scenarios on fake guests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "scenarios"
        self.folder.mkdir()
        self.store = Store(folder / "cache")
        self.bed: Any = SimpleNamespace(
            ahead=None,
            contract=Detected(HEAP_NAME, "a test"),
            builder=SimpleNamespace(store=self.store),
            ui=Reporter(),
            options=Options(),
            flavour=RIG,
            build_all=lambda: None,
        )

    def judge(self, body: str, *, jobs: int = 1) -> list[Verdict]:
        head = "from rig.scenarios.kit import *\nfrom rig.errors import *\nimport os, pytest\n"
        (self.folder / "fam.py").write_text(head + textwrap.dedent(body))
        chosen = entries(self.folder)
        return run(self.bed, chosen, new_run_dir(self.store), jobs=jobs).verdicts


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(judge_module, "opened", FakeSession)
    monkeypatch.setattr(tested, "inputs_of", lambda _bed: INPUTS)
    monkeypatch.setattr(judge_module, "token", lambda *_: None)
    monkeypatch.setattr(judge_module, "complaints", lambda *_: [])
    yield Bench(tmp_path)
    for name in [name for name in sys.modules if name == "fam"]:
        del sys.modules[name]


def test_a_pass_is_a_pass(bench: Bench) -> None:
    (verdict,) = bench.judge("@scenario()\ndef test_good(rig): pass\n")
    assert (verdict.scenario, verdict.outcome) == ("fam/good", Outcome.PASS)
    assert verdict.stages["boot"] == 1.0


@pytest.mark.parametrize(
    ("body", "outcome", "failure", "says"),
    [
        ("check(0, 'the heap is empty')", Outcome.FAIL, FailureClass.ASSERT, "the heap is empty"),
        (
            "raise RigError(FailureClass.HANG, 'stuck')",
            Outcome.FAIL,
            FailureClass.HANG,
            "stuck; last: [ 1.0] a / rig# ",
        ),
        (
            "raise RigError(FailureClass.HANG, 'did not x; last: y')",
            Outcome.FAIL,
            FailureClass.HANG,
            "did not x; last: [ 1.0] a / rig# ",
        ),
        ("raise RigError(FailureClass.LOST, 'x')", Outcome.ERROR, FailureClass.LOST, "x"),
        ("rig.no_such_thing()", Outcome.ERROR, INFRA, "AttributeError"),
        ("assert 1 == 2", Outcome.ERROR, INFRA, "AssertionError"),
        ("pytest.skip('today not')", Outcome.ERROR, INFRA, "today not"),
        ("pytest.xfail('known')", Outcome.ERROR, INFRA, "known"),
        ("raise SystemExit(0)", Outcome.ERROR, INFRA, "SystemExit"),
        ("pytest.exit('enough', 0)", Outcome.ERROR, INFRA, "no verdict"),
    ],
)
def test_every_other_end_is_none(
    bench: Bench, body: str, outcome: Outcome, failure: FailureClass, says: str
) -> None:
    (verdict,) = bench.judge(f"@scenario()\ndef test_bad(rig): {body}\n")
    assert (verdict.outcome, verdict.failure) == (outcome, failure)
    assert says in verdict.sentence
    assert exit_code([verdict]) == failure.exit_code


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def test_bare(): pass\n", "no guest"),
        ("def test_unmarked(rig): pass\n", "is no @scenario"),
        ("import no_such_module\ndef test_x(rig): pass\n", "No module named 'no_such_module'"),
        ("@scenario()\n@pytest.mark.skip\ndef test_x(rig): pass\n", "Skipped"),
        ("@scenario()\ndef test_x(rig, nothing): pass\n", "nothing"),
        ("@scenario()\n@pytest.mark.parametrize('n', [])\ndef test_x(rig, n): pass\n", ""),
        ("@scenario()\ndef test_teardown(rig): pass\n", "QEMU did not go"),
    ],
)
def test_a_scenario_that_judges_nothing_is_an_error(bench: Bench, source: str, says: str) -> None:
    (verdict,) = bench.judge(source)
    assert verdict.outcome is Outcome.ERROR
    assert says in verdict.sentence
    assert exit_code([verdict]) == INFRA.exit_code


def test_a_guest_that_does_not_come_up_has_no_boot_time(bench: Bench) -> None:
    both = "@scenario()\ndef test_a(rig): pass\n@scenario()\ndef test_boot_fails(rig): pass\n"
    good, bad = bench.judge(both)
    assert good.outcome is Outcome.PASS
    assert (bad.failure, bad.exit_code) == (FailureClass.BOOT, 125)
    assert "boot" not in bad.stages


def test_a_signal_while_a_guest_boots_is_no_verdict(bench: Bench) -> None:
    """Also when the guest that was half started cannot be taken down."""
    body = "@scenario()\ndef test_told_to_end(rig): pass\n@scenario()\ndef test_b(rig): pass\n"
    try:
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            bench.judge(body)
    finally:
        interrupt.forget()


def test_a_broken_file_leaves_the_other_verdicts(bench: Bench) -> None:
    (bench.folder / "worse.py").write_text("import nowhere_at_all\ndef test_x(rig): pass\n")
    good, bad = bench.judge("@scenario()\ndef test_good(rig): pass\n")
    assert (good.outcome, bad.outcome) == (Outcome.PASS, Outcome.ERROR)
    assert "nowhere_at_all" in bad.sentence


def test_a_file_that_is_no_python(bench: Bench) -> None:
    with pytest.raises(RigError, match=r"fam\.py.*line 4") as caught:
        bench.judge("def test_x(rig:\n")
    assert caught.value.failure is INFRA


def test_nothing_to_judge_is_no_pass(bench: Bench) -> None:
    with pytest.raises(RigError, match="no scenario was chosen"):
        bench.judge("x = 1\n")
    assert exit_code([]) == INFRA.exit_code


def test_an_oracle_turns_a_pass_into_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Complaint(FailureClass.OOPS, "kernel log: Oops"), Complaint(INFRA, "more")]
    monkeypatch.setattr(judge_module, "complaints", lambda *_: found)
    (verdict,) = bench.judge("@scenario()\ndef test_x(rig): pass\n")
    assert (verdict.outcome, verdict.failure) == (Outcome.FAIL, FailureClass.OOPS)
    assert "Oops (and 1 more)" in verdict.sentence


def test_a_known_issue_is_a_note_and_fails_nothing(bench: Bench) -> None:
    event = '{"seq":%d,"vns":1,"ev":"known-issue","issue":"lock-across-reset","as":1}'
    seen = "\\n".join(event % number for number in range(2))
    body = f"(rig.session.run_dir / 'gpu-events.jsonl').write_text('{seen}\\n')"
    (verdict,) = bench.judge(f"@scenario()\ndef test_x(rig): {body}\n")
    assert verdict.outcome is Outcome.PASS
    (note,) = verdict.notes
    assert note.kind is NoteKind.KNOWN_ISSUE
    assert note.text.startswith("panthor's lock-across-reset, 2 times: A reset falls between")


def test_a_full_disk_is_no_verdict(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that could not be written looks like a guest that hangs."""
    monkeypatch.setattr(store_module, "_HARDLY_ANY", 1 << 62)
    hang = "raise RigError(FailureClass.HANG, 'the kernel log stopped')"
    (verdict,) = bench.judge(f"@scenario()\ndef test_x(rig): {hang}\n")
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, INFRA)
    assert "no space left on the disk" in verdict.sentence


def test_a_contract_that_is_not_spoken(bench: Bench) -> None:
    (verdict,) = bench.judge("@scenario(contracts=('protm-init',))\ndef test_x(rig): pass\n")
    assert (verdict.outcome, exit_code([verdict])) == (Outcome.NOT_APPLICABLE, 125)
    assert "speaks heap-name" in verdict.sentence


def test_a_run_folder_that_cannot_be_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RigError, match="cannot create a folder for the run") as caught:
        new_run_dir(store)
    assert caught.value.failure is INFRA


def test_old_runs_make_room_but_not_one_that_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rig.runner.KEEP_RUNS", 1)
    ended = [tmp_path / "runs" / f"2000010{day}-000000-run" for day in (1, 2)]
    for folder in ended:
        folder.mkdir(parents=True)
        (folder / ".live").touch()  # a lock that nobody holds
    mine = new_run_dir(Store(tmp_path))
    assert [folder.exists() for folder in ended] == [False, True]
    for _ in range(2):
        new_run_dir(Store(tmp_path))
    assert not ended[1].exists()
    assert mine.exists()


def test_kit_is_imported_by_scenarios() -> None:
    """The private scenarios above rely on it."""
    assert {"scenario", "check"} <= set(kit.__all__)


def test_an_entry_names_its_test() -> None:
    entry = Entry("a-b", "c-d", Path("/x/a_b.py"), "test_c_d")
    assert (entry.id, entry.node) == ("a-b/c-d", "/x/a_b.py::test_c_d")
