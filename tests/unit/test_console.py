# SPDX-License-Identifier: MIT
"""The serial console against a torn one, and a person attached to it."""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import FailureClass, RigError
from rig.guest.attach import ESCAPE, attach
from rig.guest.console import Console
from rig.guest.serial import KernelLines, SerialStream
from rig.guest.shell import GuestShell, sh
from tests.fakes.torn import KERNEL_LINES, TornShell


@pytest.fixture
def torn(tmp_path: Path) -> Iterator[TornShell]:
    shell = TornShell(tmp_path / "c.sock", boot="junk\nrig: ready\n", seed=7)
    shell.go()
    yield shell
    shell.close()


@pytest.fixture
def console(torn: TornShell, tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path / "c.sock", log=tmp_path / "console.log")
    console.wait_ready(5)
    yield console
    console.close()


def test_output_comes_through_untouched(console: Console) -> None:
    text = "\n".join(f"line {n} [    1.000000] rig# <x:E 0>" for n in range(40)) + "\n"
    result = console.run(["printf", "%s", text], timeout=5)
    assert (result.status, result.output) == (0, text)


def test_status_and_both_streams(console: Console) -> None:
    result = sh(console, "echo out; echo err >&2; exit 3", timeout=5)
    assert (result.status, result.output) == (3, "out\nerr\n")


def test_a_command_longer_than_a_line(console: Console) -> None:
    word = "x" * 3000
    assert console.run(["echo", word], timeout=5).output == word + "\n"


def test_quotes_dollars_and_newlines_arrive(console: Console) -> None:
    nasty = "a'b\"c$HOME`id`\\n\n!*;# \té"
    assert console.run(["printf", "%s", nasty], timeout=5).output == nasty


def test_no_state_leaks_from_one_command_to_the_next(console: Console) -> None:
    sh(console, "cd /; x=1; exit 0", timeout=5)
    assert sh(console, "echo ${x-unset}", timeout=5).output == "unset\n"


def test_kernel_lines_are_handed_on(torn: TornShell, tmp_path: Path) -> None:
    seen: list[str] = []
    console = Console(tmp_path / "c.sock", on_kernel_line=seen.append)
    console.wait_ready(5)
    console.run(["echo", "hello"], timeout=5)
    console.close()
    assert seen
    assert set(seen) <= set(KERNEL_LINES)


def test_check_raises_with_the_last_line(console: Console) -> None:
    shell: GuestShell = console
    with pytest.raises(RigError, match=r"status 4 in the guest: because") as caught:
        shell.run(["sh", "-c", "echo because; exit 4"], timeout=5, check=True)
    assert caught.value.failure is FailureClass.ASSERT


def test_a_hang_is_reported_interrupted_and_survived(console: Console) -> None:
    with pytest.raises(RigError, match="`sleep 60` in time") as caught:
        console.run(["sleep", "60"], timeout=0.2)
    assert caught.value.failure is FailureClass.HANG
    assert console.run(["echo", "alive"], timeout=5).output == "alive\n"


def test_a_dead_console_is_lost(console: Console, torn: TornShell) -> None:
    threading.Timer(0.1, torn.close).start()
    with pytest.raises(RigError) as caught:
        console.run(["sleep", "60"], timeout=5)
    assert caught.value.failure is FailureClass.LOST


def test_health_ends_a_wait_before_its_deadline(torn: TornShell, tmp_path: Path) -> None:
    panic = RigError(FailureClass.OOPS, "the kernel panicked: because")
    sick: list[RigError] = []
    console = Console(tmp_path / "c.sock", health=lambda: sick[0] if sick else None)
    console.wait_ready(5)
    threading.Timer(0.1, sick.append, [panic]).start()
    started = time.monotonic()
    with pytest.raises(RigError, match="panicked"):
        console.run(["sleep", "60"], timeout=30)
    assert time.monotonic() - started < 5
    console.close()


def test_damaged_output_is_an_error_not_a_result(torn: TornShell, console: Console) -> None:
    threading.Timer(0.1, torn.say, ["a program writes on the console\n"]).start()
    with pytest.raises(RigError, match="undamaged") as caught:
        sh(console, "echo first; sleep 0.2; echo second", timeout=5)
    assert caught.value.failure is FailureClass.INFRA


def test_no_console_is_lost(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="does not answer") as caught:
        Console(tmp_path / "nothing.sock")
    assert caught.value.failure is FailureClass.LOST


def test_attach_passes_every_byte_and_leaves_on_escape(console: Console) -> None:
    keyboard, stdin = pty.openpty()
    screen, stdout = os.pipe()
    left: list[bool] = []
    person = threading.Thread(target=lambda: left.append(attach(console.stream, stdin, stdout)))
    person.start()
    assert os.read(screen, 4096)  # the prompt: the terminal is in raw mode by now
    os.write(keyboard, b'echo "an""swer"\n')
    seen, splitter = b"", KernelLines()  # the screen shows the torn stream as it is
    while b"answer" not in seen:
        seen += splitter.feed(os.read(screen, 4096))[0]
    os.write(keyboard, ESCAPE)
    person.join(5)
    assert left == [True]
    assert console.run(["echo", "after"], timeout=5).output == "after\n"
    for fd in (keyboard, stdin, screen, stdout):
        os.close(fd)


class BusyQemu:
    """Reads its console's socket late, and never once the other end has gone, as QEMU does."""

    LATE_S = 0.1

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self.got = b""
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        peer, _ = self._server.accept()
        with peer, self._server:
            poll = select.poll()
            poll.register(peer, 0)  # a hang-up is told in any case
            while not poll.poll(self.LATE_S * 1000):
                if select.select([peer], [], [], 0)[0]:
                    self.got += peer.recv(4)  # as much as a UART takes


@pytest.mark.parametrize("keys", [b"reboot\n" + ESCAPE, b"reboot\n"])
def test_keys_right_before_the_escape_are_not_lost(tmp_path: Path, keys: bytes) -> None:
    """Nor those in front of the end of a pipe."""
    qemu = BusyQemu(tmp_path / "c.sock")
    stream = SerialStream(tmp_path / "c.sock")
    (stdin, keyboard), (screen, stdout) = os.pipe(), os.pipe()
    os.write(keyboard, keys)
    os.close(keyboard)
    assert attach(stream, stdin, stdout) == keys.endswith(ESCAPE)
    stream.close()
    qemu.thread.join(5)
    assert qemu.got == b"\nreboot\n"
    for fd in (stdin, screen, stdout):
        os.close(fd)


def test_a_guest_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "c.sock"))
        deaf.listen()
        stream = SerialStream(tmp_path / "c.sock")
        stream.write(b"anybody?")
        assert not stream.drain(0.05)
        stream.close()


TTY = st.sampled_from(
    [b"rig# ", b"a", b"<", b"<4", b"[", b"[12", b"[ x]", b"\r\n", b"<12:E 0>", b"[    1.5] "]
)
LINE = st.sampled_from(
    [level + line.encode() + b"\r\n" for line in KERNEL_LINES for level in (b"", b"<4>", b"<30>")]
)


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.one_of(TTY.map(lambda b: (True, b)), LINE.map(lambda b: (False, b)))),
    cuts=st.lists(st.integers(1, 30), min_size=1),
)
def test_the_split_depends_on_neither_cuts_nor_neighbours(
    pieces: list[tuple[bool, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(data for _, data in pieces) + b"\n"
    splitter, tty, lines = KernelLines(), b"", list[str]()
    while stream:
        cut = cuts[len(stream) % len(cuts)]
        text, more = splitter.feed(stream[:cut])
        tty, lines, stream = tty + text, lines + more, stream[cut:]
    assert tty == b"".join(data for is_tty, data in pieces if is_tty) + b"\n"
    assert lines == [data.decode().rstrip() for is_tty, data in pieces if not is_tty]
