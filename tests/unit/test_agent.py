# SPDX-License-Identifier: MIT
"""The guest's agent, built for this machine, against its client: the whole protocol on a socket."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.artifacts.guestprogs import GUEST, PROGRAMS
from rig.errors import FailureClass, RigError
from rig.guest import wire
from rig.guest.agent import Agent, AgentError

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a native C compiler")

CFLAGS = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
SLOW_S = 20.0
"""A deadline that only a hang reaches."""


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("agent") / "rig-agent"
    sources = [str(GUEST / name) for name in PROGRAMS["rig-agent"]]
    subprocess.run(["gcc", *CFLAGS, "-o", str(out), *sources], check=True)
    return out


@pytest.fixture(scope="session")
def server(binary: Path) -> Iterator[Path]:
    """A running agent; its socket."""
    path = binary.parent / "socket"
    child = subprocess.Popen([str(binary), "--socket", str(path)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + SLOW_S
    while not _listens(path):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    yield path
    child.terminate()
    _, stderr = child.communicate()
    assert child.returncode == -signal.SIGTERM, "the agent must never exit by itself"
    assert stderr == b"", "the sanitizers found something"


def _listens(path: Path) -> bool:
    """A socket is in its folder a moment before it listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def agent(server: Path) -> Iterator[Agent]:
    with Agent(server) as conn:
        conn.hello(SLOW_S)
        yield conn


def test_run_collects_everything(agent: Agent) -> None:
    done = agent.run(["sh", "-c", "cat; echo err >&2; exit 3"], b"in\n")
    assert (done.status, done.signal, done.timed_out) == (3, None, False)
    assert (done.stdout, done.stderr) == ("in\n", "err\n")
    assert done.describe() == "ended with status 3"


def test_run_passes_arguments_and_environment(agent: Agent) -> None:
    done = agent.run(["sh", "-c", 'printf "%s|" "$A" "$@"', "sh", "x y", "", "*"], env={"A": "b=c"})
    assert done.stdout == "b=c|x y||*|"


def test_a_guest_that_dies_ends_a_wait_at_once(server: Path) -> None:
    """A panicked guest answers nothing: without a look at its health only the deadline tells."""
    panic = RigError(FailureClass.OOPS, "the kernel panicked: x")
    died = threading.Event()
    with Agent(server, health=lambda: panic if died.is_set() else None) as conn:
        conn.hello(SLOW_S)
        threading.Timer(0.1, died.set).start()
        started = time.monotonic()
        with pytest.raises(RigError, match="the kernel panicked"):
            conn.run(["sleep", "33"], timeout=SLOW_S)
        assert time.monotonic() - started < SLOW_S / 2


def test_every_byte_survives(agent: Agent) -> None:
    data = bytes(range(256)) * 1000 + b"\xc0\xdb\xdc\xdd" * 5000 + os.urandom(300_000)
    assert agent.run(["cat"], data).stdout_bytes == data


def test_a_signal_is_told_apart_from_a_status(agent: Agent) -> None:
    done = agent.run(["sh", "-c", "kill -9 $$"])
    assert (done.status, done.signal) == (None, signal.SIGKILL)
    assert done.describe() == "was ended by SIGKILL"


def test_timeout_kills_the_whole_group(agent: Agent) -> None:
    started = time.monotonic()
    script = "sleep 77 & echo $!; wait"
    done = agent.run(["sh", "-c", script], timeout=0.1)
    assert done.timed_out
    assert not done.ok
    assert (done.status, done.signal) == (None, signal.SIGKILL)
    assert time.monotonic() - started < SLOW_S
    _wait_until_gone(int(done.stdout))


PTRACE_SEIZE = 0x4206


def test_a_program_that_cannot_be_killed_is_told_apart(agent: Agent, tmp_path: Path) -> None:
    """As in D state: a traced process is not reaped by its parent before its tracer looked."""
    note = tmp_path / "pid"
    seized = threading.Event()
    answered = threading.Event()

    def trace() -> None:
        _wait_for_text(note)
        pid = int(note.read_text())
        assert ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_SEIZE, pid, None, None) == 0
        seized.set()
        answered.wait(SLOW_S)
        os.waitpid(pid, 0)

    tracer = threading.Thread(target=trace)
    tracer.start()
    done = agent.run(["sh", "-c", f"echo $$ > {note}; exec sleep 99"], timeout=0.3)
    answered.set()
    tracer.join()
    if not seized.is_set():
        pytest.skip("tracing is not permitted here")
    assert done.stuck
    assert done.timed_out
    assert (done.status, done.signal) == (None, None)
    assert agent.run(["true"]).ok


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + SLOW_S
    while _alive(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.005)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_program_that_does_not_exist(agent: Agent) -> None:
    with pytest.raises(AgentError, match="ENOENT") as caught:
        agent.run(["/no/such/program"])
    assert caught.value.errno == errno.ENOENT
    assert agent.run(["true"]).ok


def test_a_daemon_left_behind_does_not_delay_the_answer(agent: Agent) -> None:
    started = time.monotonic()
    done = agent.run(["sh", "-c", "sleep 5 & echo $!"])
    assert time.monotonic() - started < 4
    os.kill(int(done.stdout), signal.SIGKILL)


def test_too_much_output_is_cut_and_marked(agent: Agent) -> None:
    size = wire.STREAM_MAX + 12345
    done = agent.run(["head", "-c", str(size), "/dev/zero"], timeout=SLOW_S)
    assert done.truncated
    assert len(done.stdout_bytes) == wire.STREAM_MAX
    assert done.ok


def test_spawn_talks_and_waits(agent: Agent) -> None:
    cat = agent.spawn(["cat"])
    cat.write(b"READY n=1\nhalf")
    assert cat.expect("READY", SLOW_S) == "READY n=1"
    assert agent.run(["true"]).ok  # others may run meanwhile
    still = cat.wait(0.01)
    assert still.timed_out
    assert still.describe() == "did not end in time"
    cat.close_stdin()
    done = cat.wait(SLOW_S)
    assert done.ok
    assert done.stdout == "READY n=1\nhalf"
    cat.release()


def test_expect_says_why_the_line_never_came(agent: Agent) -> None:
    for line, failure in (
        ("no", FailureClass.INFRA),  # it broke: nothing is known of the driver
        ("RESULT fail step=open why=ENODEV", FailureClass.ASSERT),
    ):
        proc = agent.spawn(["sh", "-c", f"echo {line}; exit 4"])
        with pytest.raises(RigError, match="status 4 without saying 'READY'") as caught:
            proc.expect("READY", SLOW_S)
        assert caught.value.failure is failure
        proc.release()


def test_kill_and_release(agent: Agent) -> None:
    proc = agent.spawn(["sleep", "100"])
    assert proc.pid > 0
    with pytest.raises(AgentError, match="EBUSY"):
        proc.release()
    proc.kill(signal.SIGTERM)
    assert proc.wait(SLOW_S).signal == signal.SIGTERM
    with pytest.raises(AgentError, match="ESRCH"):
        proc.kill()
    proc.release()
    with pytest.raises(AgentError, match="ESRCH"):
        proc.output()


def test_files(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    data = os.urandom((1 << 20) + 77)
    with pytest.raises(AgentError, match="ENOENT"):
        agent.put(str(path), data)
    agent.put(str(path), data, mode=0o750, parents=True)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o750
    agent.put(str(path), b"tail", append=True)
    assert agent.get(str(path)) == data + b"tail"
    agent.put(str(path), b"")
    assert agent.get(str(path)) == b""
    assert "Linux" in agent.get("/proc/version").decode()
    with pytest.raises(AgentError, match="EISDIR"):
        agent.get(str(tmp_path))


def test_a_file_access_that_never_returns_times_out(agent: Agent, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(RigError, match="did not end in time") as caught:
        agent.get(str(fifo), timeout=0.1)
    assert caught.value.failure is FailureClass.HANG
    assert agent.run(["true"]).ok


def test_a_new_host_finds_what_the_old_one_spawned(server: Path) -> None:
    with Agent(server) as old:
        old.hello(SLOW_S)
        spawned = old.spawn(["cat"], b"kept")
    with Agent(server) as new:
        new.hello(SLOW_S)
        (found,) = [p for p in new.processes() if p.id == spawned.id]
        assert found.pid == spawned.pid
        found.close_stdin()
        assert found.wait(SLOW_S).stdout == "kept"
        found.release()


def test_what_a_vanished_host_ran_is_killed(server: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with Agent(server) as old:
        old.hello(SLOW_S)
        body = b"\xff" * 4 + wire.pack_strings(["sh", "-c", f"echo $$ > {note}; exec sleep 99"])
        body += wire.pack_strings([]) + wire.pack_bytes(b"")
        frame = wire.request(old._link.session, 99, wire.Op.RUN, body)
        old._link.send(frame, time.monotonic() + SLOW_S, "run")
        _wait_for_text(note)
    with Agent(server) as new:
        new.hello(SLOW_S)
        _wait_until_gone(int(note.read_text()))


def _wait_for_text(path: Path) -> None:
    deadline = time.monotonic() + SLOW_S
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_garbage_and_half_frames_are_dropped(server: Path) -> None:
    """A host that vanished in mid-frame, seen by a port that never closed: one byte stream."""
    with Agent(server) as conn:
        half = wire.request(1, 1, wire.Op.PUT, b"x" * 5000)[:-2000]
        for junk in (b"boot noise\n", half, b"\xc0\xdb\xdb\xc0", b"\xc0\xc0", bytes(range(256))):
            conn._link.socket.send(junk)
            conn.hello(SLOW_S)
        assert conn.run(["true"]).ok


def test_requests_without_a_session_are_not_answered(server: Path) -> None:
    with Agent(server, answer_timeout=0.2) as conn, pytest.raises(RigError, match="no answer"):
        conn.uptime()


def test_bad_requests_are_refused(agent: Agent) -> None:
    for op in (wire.Op.RUN, wire.Op.WAIT, wire.Op.KILL, wire.Op.STDIN, wire.Op.PUT, wire.Op.GET):
        with pytest.raises(AgentError, match="EINVAL"):
            agent._link.call(op, b"\x01", op.name)
    with pytest.raises(AgentError, match="EINVAL"):
        agent.run(["nul\0inside"])
    with pytest.raises(AgentError, match="EINVAL"):
        agent.run([])
    with pytest.raises(AgentError, match="EINVAL"):
        agent._link.call(wire.Op.RUN, b"\0\0\0\0" + b"\xff" * 8, "a huge count")


def test_an_unknown_request_is_refused(agent: Agent) -> None:
    with pytest.raises(AgentError) as caught:
        agent._link.call(99, b"", "unknown")  # type: ignore[arg-type]
    assert caught.value.errno == errno.EOPNOTSUPP


def test_many_processes_at_once(agent: Agent) -> None:
    procs = [agent.spawn(["sh", "-c", f"echo {n}; exit {n}"]) for n in range(20)]
    for number, proc in enumerate(procs):
        done = proc.wait(SLOW_S)
        assert (done.status, done.stdout) == (number, f"{number}\n")
        proc.release()
    assert agent.processes() == []


def test_uptime_advances(agent: Agent) -> None:
    first = agent.uptime()
    assert agent.uptime() >= first > 0


def test_lost_and_hang_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with pytest.raises(RigError, match="cannot reach") as caught:
        Agent(path)
    assert caught.value.failure is FailureClass.LOST
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        with Agent(path) as conn:
            with pytest.raises(RigError, match="no answer") as caught:
                conn.hello(0.05)
            assert caught.value.failure is FailureClass.HANG
            listener.accept()[0].close()
            with pytest.raises(RigError, match="is gone") as caught:
                conn.hello(SLOW_S)
            assert caught.value.failure is FailureClass.LOST
