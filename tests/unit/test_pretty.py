# SPDX-License-Identifier: MIT
"""Events for people, and the command that prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rig.cli import main as cli
from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.gpu.pretty import exception, pretty, shown, size, style_of


@pytest.mark.parametrize(
    ("kind", "fields", "line"),
    [
        ("power", {"domain": "l2", "ready": 1}, "domain=l2 ready=0x1"),
        ("as-cmd", {"as": 1, "cmd": "LOCK", "base": 4096, "size": 2**64 - 1},
         "as=1 cmd=LOCK base=0x1000 size=all"),
        ("section", {"perm": "", "prot": True, "extents": [[4096, 8192], [65536, 100]]},
         "perm=- prot=yes extents=[0x1000+8 KiB, 0x10000+100 B]"),
        ("mcu-boot", {"ok": True, "version": 0x01050002}, "ok=yes version=1.5.2"),
        ("mmu-fault", {"code": 0xC3, "va": 0}, "code=TRANSLATION_FAULT_3(0xc3) va=0x0"),
        ("cs-fatal", {"code": 0x49}, "code=INSTR_INVALID(0x49)"),
        ("new-kind", {"x": 7, "y": [[1, 2]]}, "x=7 y=[[1, 2]]"),
    ],
)  # fmt: skip
def test_lines(kind: str, fields: dict[str, Any], line: str) -> None:
    text = pretty(Event(12, 1_727_440_996, kind, fields)).plain
    assert text == f"    12     1.727440996 {kind:<16} {line}"


def test_sizes_and_codes() -> None:
    assert [size(n) for n in (0, 656, 1024, 1536, 3 << 20, 1 << 30)] == [
        "0 B", "656 B", "1 KiB", "1536 B", "3 MiB", "1 GiB",
    ]  # fmt: skip
    assert [exception(n) for n in (0x80, 0xE8, 0x123)] == [
        "GPU_BUS_FAULT(0x80)", "MEM_ATTR_FAULT_0(0xe8)", "0x123",
    ]  # fmt: skip
    assert shown([[1], "x"], "extents") == "[[1], x]"


def test_what_is_wrong_is_red() -> None:
    red = "bold red"
    assert style_of(Event(0, 0, "violation")) == red
    assert style_of(Event(0, 0, "mcu-boot", {"ok": False})) == red
    assert style_of(Event(0, 0, "section", {"content": "bad"})) == red
    assert style_of(Event(0, 0, "mcu-boot", {"ok": True})) != red


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path))
    for run, kinds in (("20260101-000000-run", ["ping"]), ("20260102-000000-run", KINDS)):
        for scenario in ("a.one", "b.two"):
            log = tmp_path / "runs" / run / scenario / "gpu-events.jsonl"
            log.parent.mkdir(parents=True)
            log.write_text(
                "".join(
                    json.dumps({"seq": seq, "vns": seq * 10**9, "ev": kind}) + "\n"
                    for seq, kind in enumerate(kinds)
                )
            )
    (tmp_path / "runs" / "20260103-000000-shell").mkdir()
    return tmp_path / "runs" / "20260102-000000-run"


KINDS = ["power", "ping", "reset"]


def test_the_newest_run_with_events(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["events", "--since", "0", "--kind", "ping", "--kind", "power"]) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "== a.one", "     1     1.000000000 ping", "== b.two", "     1     1.000000000 ping",
    ]  # fmt: skip


def test_json_lines(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["events", str(run_dir), "--json", "--kind", "reset"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["seq"], line["ev"], line["log"]) for line in lines] == [
        (2, "reset", "a.one"), (2, "reset", "b.two"),
    ]  # fmt: skip
    log = run_dir / "a.one" / "gpu-events.jsonl"
    assert cli._run(["events", str(log), "--json", "--since", "1"]) == 0
    assert json.loads(capsys.readouterr().out) == {"seq": 2, "vns": 2 * 10**9, "ev": "reset"}


def test_follow_prints_what_comes(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run_dir / "a.one" / "gpu-events.jsonl"
    steps = iter((b'{"seq":3,"vns":0,"ev":"pi', b'ng"}\n'))

    def later(_seconds: float) -> None:
        part = next(steps, None)
        if part is None:
            raise KeyboardInterrupt
        with log.open("ab") as file:
            file.write(part)

    monkeypatch.setattr("rig.cli.events.time.sleep", later)
    assert cli._run(["events", str(log), "--follow"]) == FailureClass.INTERRUPTED.exit_code
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list("0123")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--kind", "pong"], "no such kind of event: pong"),
        (["/nowhere"], "there is no /nowhere"),
        ([], "no run with GPU events"),
        (["{}"], "no gpu-events.jsonl in"),
    ],
)
def test_mistakes(
    argv: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path))
    argv = [word.format(tmp_path) for word in argv]
    assert cli._run(["events", *argv]) == FailureClass.USAGE.exit_code
    assert says in capsys.readouterr().err.replace("\n", " ")
