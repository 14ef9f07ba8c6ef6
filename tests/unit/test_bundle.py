# SPDX-License-Identifier: MIT
"""What a run leaves behind: journal and records, whole or plainly refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rig import bundle, journal, tested
from rig.errors import FailureClass, RigError
from rig.guest.shell import RecordedShell, ShellResult
from rig.journal import Clocks, Journal
from rig.options import Options
from rig.store import Store
from rig.ui import Reporter
from rig.verdict.verdict import Outcome, Verdict

INPUTS = tested.Inputs(
    "0.1", "t" * 40, "Linux", "heap-name", "why", "b" * 40, [], "g610", {"ping-never": 1}, False,
    dict.fromkeys(tested.PARTS, "k" * 20), ["--series", "v5.mbox"],
)  # fmt: skip


def test_a_step_keeps_its_time_and_its_error(tmp_path: Path) -> None:
    book = Journal(tmp_path / "j")
    with pytest.raises(RigError), book.step("step", "true"):
        raise RigError(FailureClass.HANG, "stuck")
    book.close()
    book.note("note", "too late")
    (entry,) = journal.read(tmp_path / "j")
    assert (entry.kind, entry.what, entry.error) == ("step", "true", "stuck")
    assert entry.seconds is not None


def test_a_torn_last_line_is_left_out_a_torn_middle_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "j"
    good = '{"mono":1,"kind":"note","what":"x"}\n'
    file.write_text(good + '{"mono":2,')
    assert [entry.mono for entry in journal.read(file)] == [1]
    file.write_text('{"mono":2,\n' + good)
    with pytest.raises(Exception, match=r"truncated|malformed"):
        journal.read(file)


def test_clocks_note_the_least_lag_and_the_secure_log(tmp_path: Path) -> None:
    book, secure = Journal(tmp_path / "j"), tmp_path / "secure.log"
    clocks = Clocks(book, secure)
    clocks.kernel_line("<6>[    1.000000] a")
    secure.write_text("I/TC: hello\n")
    clocks.kernel_line("[    0.500000] later than it says")
    with book.step("step", "x"):
        secure.write_text("I/TC: hello\nI/TC: again\n")
    book.close()
    found = [(e.kind, e.data.get("size")) for e in journal.read(tmp_path / "j")]
    assert found == [("printk", None), ("secure", 12), ("secure", 24), ("step", None)]


def test_a_recorded_shell_tells_what_was_run(tmp_path: Path) -> None:
    class Shell:
        def run(self, argv: object, *, timeout: float, check: bool = False) -> ShellResult:
            return ShellResult(3, "no\n")

    book = Journal(tmp_path / "j")
    shell = RecordedShell(Shell(), book, "agent")
    assert shell.run(["sh", "-c", "cat /x"], timeout=1).status == 3
    with pytest.raises(RigError, match="status 3"):
        shell.run(["false"], timeout=1, check=True)
    book.close()
    first, second = journal.read(tmp_path / "j")
    assert (first.what, first.data) == (
        "cat /x", {"channel": "agent", "status": 3, "output": "no\n"},
    )  # fmt: skip
    assert second.what == "false"


def test_a_record_survives_the_way_to_disk(tmp_path: Path) -> None:
    verdict = Verdict("a/b", Outcome.FAIL, "<x>", FailureClass.OOPS, 1.0, {"boot": 2.0},
                      tmp_path / "a.b")  # fmt: skip
    run = bundle.Run(["rig", "run"], 0.0, INPUTS, ["a/b"])
    bundle.finish(run, tmp_path, [verdict], 3.0)
    (row,) = bundle.load(tmp_path / bundle.RUN, bundle.Run).rows
    assert bundle.verdict_of(row, tmp_path) == verdict


def test_no_or_damaged_records_are_said(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="is no run of this rig"):
        bundle.load(tmp_path / bundle.RUN, bundle.Run)
    (tmp_path / bundle.RUN).write_text("{}")
    with pytest.raises(RigError, match="damaged or of another version"):
        bundle.load(tmp_path / bundle.RUN, bundle.Run)


def test_options_become_arguments() -> None:
    options = Options(kernel=Path("k"), series=(Path("s"),), mutant="m", faults=(("x", 1),))
    words = tested.arguments_of(options)
    assert words == ["--kernel", "k", "--mutant", "m", "--series", "s", "--fault", "x=1"]
    assert tested.arguments_of(Options(series=())) == ["--no-series"]
    assert tested.arguments_of(Options(firewall=False)) == ["--firewall", "off"]
    assert tested.arguments_of(Options(coherent=True)) == ["--coherent"]
    assert tested.arguments_of(Options(debug=True)) == ["--debug"]
    assert tested.arguments_of(Options(icount=True, soak=True)) == ["--icount", "--soak"]
    assert tested.arguments_of(Options(record=True)) == ["--record"]
    assert tested.arguments_of(Options(rootfs="debian", net=True)) == [
        "--net", "--rootfs", "debian",
    ]  # fmt: skip
    assert tested.arguments_of(Options(gpu="g925", soc="mt8196")) == [
        "--gpu", "g925", "--soc", "mt8196",
    ]  # fmt: skip


def test_a_bundle_whose_artifacts_are_gone_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path))
    store = Store()
    for part, (kind, _file) in tested.PARTS.items():
        if part != "modules":
            with store.publishing(kind, INPUTS.artifacts[part], {}):
                pass
    with pytest.raises(RigError, match="no more modules of this run") as caught:
        tested.reopen(
            msgspec.structs.replace(INPUTS, options=["--record", *INPUTS.options]), Reporter()
        )
    assert caught.value.hint.endswith("rig build modules --series v5.mbox")
    with store.publishing("modules", INPUTS.artifacts["modules"], {}):
        pass
    bed = tested.reopen(INPUTS, Reporter())
    assert (bed.modules.name, bed.rootfs.name) == ("k" * 20, "rootfs.cpio")
    assert dict(bed.options.faults) == {"ping-never": 1}
