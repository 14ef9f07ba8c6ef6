# SPDX-License-Identifier: MIT
"""The monitor's synchronous face against a monitor of a few lines."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.errors import FailureClass, RigError
from rig.machine import qmp as qmp_module
from rig.machine.qmp import Qmp
from tests.fakes.qemu import Monitor
from tests.fakes.torn import TornShell


@pytest.fixture
def qmp(tmp_path: Path) -> Iterator[Qmp]:
    shell = TornShell(tmp_path / "c.sock")
    monitor = Monitor(str(tmp_path / "q.sock"), "", shell)
    serving = threading.Thread(target=monitor.serve)
    serving.start()
    qmp = Qmp(tmp_path / "q.sock")
    qmp.connect(5)
    yield qmp
    qmp.close()
    serving.join()
    shell.close()


def test_commands_and_status(qmp: Qmp) -> None:
    qmp.stop()
    qmp.cont()
    assert qmp.status() == "running"
    assert "HOST_FORWARD" in qmp.human("info usernet")


def test_a_refused_command_is_told_in_qemus_words(qmp: Qmp) -> None:
    with pytest.raises(RigError, match="refused `no-such`: The command no-such has") as caught:
        qmp.execute("no-such")
    assert caught.value.failure is FailureClass.INFRA
    assert qmp.status() == "running"


def test_a_command_without_an_answer_ends(qmp: Qmp) -> None:
    with pytest.raises(RigError, match=r"did not answer `fake-silence` within 0\.1 s"):
        qmp.execute_with("fake-silence", {}, 0.1)


def test_events_are_kept_in_order(qmp: Qmp) -> None:
    qmp.cont()
    qmp.cont()
    assert qmp.wait_event("RESUME", 2).data == {}
    qmp.status()  # the second event is written before this answer
    assert [e.name for e in qmp.events()] == ["RESUME", "RESUME"]
    with pytest.raises(RigError, match="no STOP event"):
        qmp.wait_event("STOP", 0.05)


def test_connecting_waits_for_the_socket(tmp_path: Path) -> None:
    qmp = Qmp(tmp_path / "late.sock")
    shell = TornShell(tmp_path / "c.sock")

    def appear() -> None:
        Monitor(str(tmp_path / "late.sock"), "", shell).serve()

    later = threading.Timer(0.1, appear)
    later.start()
    qmp.connect(5)
    assert qmp.status() == "running"
    qmp.close()
    later.join()
    shell.close()


def test_connecting_ends_when_qemu_does(tmp_path: Path) -> None:
    qmp = Qmp(tmp_path / "never.sock")
    started = time.monotonic()
    with pytest.raises(RigError, match="it died"):
        qmp.connect(30, lambda: RigError(FailureClass.INFRA, "it died"))
    assert time.monotonic() - started < 5
    qmp.close()


def test_connecting_has_a_deadline(tmp_path: Path) -> None:
    qmp = Qmp(tmp_path / "never.sock")
    with pytest.raises(RigError, match="did not open its monitor"):
        qmp.connect(0.05)
    qmp.close()


def test_closing_twice_and_asking_afterwards(qmp: Qmp) -> None:
    qmp.close()
    qmp.close()
    with pytest.raises(RigError, match="monitor is closed"):
        qmp.status()


def test_closing_before_connecting(tmp_path: Path) -> None:
    Qmp(tmp_path / "x.sock").close()


class SlowClient:
    """qemu.qmp as it is when a connect is cancelled: it lets go in its own time, and alone."""

    met = 0
    """How often two disconnects ran at a time; the real one fails an assertion then."""

    def __init__(self, _name: str) -> None:
        self.letting_go = False

    async def connect(self, _path: str) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        try:
            await asyncio.sleep(30)
        finally:
            await self.disconnect()

    async def disconnect(self) -> None:
        SlowClient.met += self.letting_go
        self.letting_go = True
        await asyncio.sleep(0.05)
        self.letting_go = False


def test_ctrl_c_while_it_connects_stays_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's two disconnects met once in eight runs, and hid the interrupt."""
    monkeypatch.setattr(qmp_module, "QMPClient", SlowClient)
    monkeypatch.setattr(SlowClient, "met", 0)
    qmp = Qmp(tmp_path / "q.sock")
    with pytest.raises(KeyboardInterrupt):
        try:
            qmp.connect(5)
        finally:
            qmp.close()
    assert SlowClient.met == 0
    assert not qmp._thread.is_alive()
