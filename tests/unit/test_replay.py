# SPDX-License-Identifier: MIT
"""Recordings without a guest: the launch line, what is kept, and how a difference is told."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from rig.errors import FailureClass, RigError
from rig.machine import recording
from rig.machine.icount import Icount
from rig.machine.launch import AGENT
from rig.machine.qmp import Qmp
from rig.machine.recording import Recorder
from rig.replay import Compared, compared
from tests.unit.test_launch import DIRECT, SECURE

RECORDS = Icount(log=Path("/run/1/recording.bin"))


def test_a_recording_has_one_thread_and_the_agents_input() -> None:
    for spec, lines in (
        (DIRECT, ["chardev:console", "none"]),
        (SECURE, ["chardev:console", "chardev:secure"]),
    ):
        argv = replace(spec, icount=RECORDS).argv()
        assert argv[argv.index("-accel") + 1] == "tcg,thread=single"
        assert argv[argv.index("-icount") + 1] == "shift=1,rr=record,rrfile=/run/1/recording.bin"
        told = [value for word, value in pairwise(argv) if word == "-serial"]
        assert told == [*lines, f"chardev:{AGENT}"]
        assert "filter-replay,id=replay,netdev=net" in argv


def test_nobody_is_attached_to_a_replay() -> None:
    line = replace(DIRECT, icount=replace(RECORDS, replays=True)).shell_line()
    assert "file,id=console,path=/run/1/console.log" in line
    assert "file,id=agent,path=/dev/null" in line
    assert "rr=replay" in line


def test_counted_instructions_alone_record_nothing() -> None:
    argv = replace(DIRECT, icount=Icount(shift=3)).argv()
    assert argv[argv.index("-icount") + 1] == "shift=3"
    assert argv.count("-serial") == 1


class Monitor:
    """QEMU's monitor: counts instructions while the guest runs."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.looks, self.icount, self.gone = 0, 100, False

    def execute(self, command: str, **_arguments: object) -> Any:
        if command == "query-chardev":
            self.looks += 1
            far = "disconnected:unix:a" if self.looks < 3 else "unix:a"
            return [{"label": "console", "filename": "x"}, {"label": AGENT, "filename": far}]
        assert command == "query-replay"
        if self.gone:
            raise RigError(FailureClass.LOST, "QEMU ended")
        return {"icount": self.icount}

    def stop(self) -> None:
        self.said.append("stop")

    def cont(self) -> None:
        self.said.append("cont")
        self.icount += 50

    def qom_set(self, path: str, name: str, value: object) -> None:
        self.said.append(f"{path} {name} {value}")


def whole(folder: Path) -> None:
    for name in (recording.LOG, recording.INITRD):
        (folder / name).write_text("x")


def test_what_is_set_meanwhile_is_kept_with_its_instruction(tmp_path: Path) -> None:
    monitor = Monitor()
    whole(tmp_path)
    with Recorder(cast(Qmp, monitor), tmp_path, AGENT) as recorder:
        assert monitor.looks == 3
        recorder.set("/gpu", "fault-x", 1)
        assert recording.read(tmp_path) is None, "a recording that was cut off is none"
        recorder.set("/gpu", "fault-x", 0)
    assert monitor.said == [
        "cont", *("stop", "/gpu fault-x 1", "cont"), *("stop", "/gpu fault-x 0", "cont"), "stop",
    ]  # fmt: skip
    kept = recording.read(tmp_path)
    assert kept is not None
    assert [(told.icount, told.value) for told in kept.told] == [(150, 1), (200, 0)]
    assert kept.icount == 250


def test_a_guest_that_was_killed_leaves_no_recording(tmp_path: Path) -> None:
    monitor = Monitor()
    whole(tmp_path)
    with Recorder(cast(Qmp, monitor), tmp_path, AGENT):
        monitor.gone = True
    assert recording.read(tmp_path) is None
    assert recording.read(tmp_path / "nothing") is None


EVENT = {"seq": 0, "vns": 5, "ev": "power", "on": 1}


def logs(folder: Path, *gpu: dict[str, object], console: bytes = b"a\r\nb\r\n") -> Path:
    folder.mkdir()
    (folder / "gpu-events.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in gpu))
    (folder / "firewall-events.jsonl").write_text("")
    (folder / "console.log").write_bytes(console)
    return folder


def test_equal_logs_are_the_same(tmp_path: Path) -> None:
    then, now = (logs(tmp_path / name, EVENT) for name in "ab")
    assert compared(then, now) == [
        Compared("GPU events", 1), Compared("firewall events", 0), Compared("console.log", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([{**EVENT, "vns": 6}], "recorded #0 power at 0.000000005 s on=1, replayed #0 power at"),
        ([{**EVENT, "ev": "reset"}], "replayed #0 reset"),
        ([{**EVENT, "on": 0}], "replayed #0 power at 0.000000005 s on=0"),
        ([], "the replay has 0 instead of 1"),
        ([EVENT, {**EVENT, "seq": 1}], "the replay has 2 instead of 1"),
    ],
)
def test_any_other_event_is_told(
    tmp_path: Path, events: list[dict[str, object]], told: str
) -> None:
    found = compared(logs(tmp_path / "a", EVENT), logs(tmp_path / "b", *events))
    assert told in found[0].difference
    assert not any(log.difference for log in found[1:])


@pytest.mark.parametrize("console", [b"a\r\nc\r\n", b"a\r\n", b"a\r\nb\r\nc", b"a\r\nb\n"])
def test_any_other_byte_is_told(tmp_path: Path, console: bytes) -> None:
    (log,) = compared(logs(tmp_path / "a"), logs(tmp_path / "b", console=console))[2:]
    assert log.difference
