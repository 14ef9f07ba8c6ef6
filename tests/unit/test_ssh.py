# SPDX-License-Identifier: MIT
"""SSH against a server of our own: pinned keys, statuses, deadlines; and guest paths."""

from __future__ import annotations

import io
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from rig.errors import FailureClass, RigError
from rig.guest.keys import KeyPair
from rig.guest.paths import GuestPath
from rig.guest.ssh import Ssh, SshTarget

HOST, USER = KeyPair.generate(), KeyPair.generate()


class Session(paramiko.Transport):
    """Knows when its reply to a request is out: a program must not end before it started."""

    replied = threading.Event()

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        self.replied.set()


class Sshd(paramiko.ServerInterface):
    """Lets USER's key in; a command's first word says how it behaves."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport = Session(client)
            transport.add_server_key(
                paramiko.Ed25519Key.from_private_key(io.StringIO(HOST.private))
            )
            transport.start_server(server=self, event=threading.Event())

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = (username, key.get_base64()) == ("root", USER.public.split()[1])
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        Session.replied.clear()
        threading.Thread(target=self._exec, args=[channel, command.decode()], daemon=True).start()
        return True

    @staticmethod
    def _exec(channel: paramiko.Channel, command: str) -> None:
        Session.replied.wait(5)
        if command.startswith("hang"):
            return
        if command.startswith("vanish"):
            channel.get_transport().close()
            return
        channel.sendall(command.encode())
        channel.sendall_stderr(b" err")
        channel.send_exit_status(3)
        channel.close()


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    server = Sshd()
    yield server
    server.listener.close()


def target(sshd: Sshd, run_dir: Path, **other: object) -> SshTarget:
    return SshTarget(sshd.port, USER, str(other.get("host_key", HOST.public)), run_dir)


def test_output_of_both_streams_and_the_status(sshd: Sshd, tmp_path: Path) -> None:
    with Ssh(target(sshd, tmp_path)) as ssh:
        ssh.connect(5)
        result = ssh.run(["echo", "a b"], timeout=5)
        assert (result.status, result.output) == (3, "echo 'a b'; exit $? err")
        with pytest.raises(RigError, match="status 3") as caught:
            ssh.run(["echo"], timeout=5, check=True)
        assert caught.value.failure is FailureClass.ASSERT


def test_another_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    other = KeyPair.generate().public
    with (
        Ssh(target(sshd, tmp_path, host_key=other)) as ssh,
        pytest.raises(RigError, match="another host key"),
    ):
        ssh.connect(5)


def test_a_command_that_hangs_and_a_server_that_vanishes(sshd: Sshd, tmp_path: Path) -> None:
    with Ssh(target(sshd, tmp_path)) as ssh:
        ssh.connect(5)
        with pytest.raises(RigError, match=r"`hang` did not end within 0\.1 s") as caught:
            ssh.run(["hang"], timeout=0.1)
        assert caught.value.failure is FailureClass.HANG
        with pytest.raises(RigError) as caught:
            ssh.run(["vanish"], timeout=5)
        assert caught.value.failure is FailureClass.LOST


def test_connecting_waits_for_a_banner(tmp_path: Path) -> None:
    """A forwarding QEMU accepts at once, long before the guest answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ssh = Ssh(SshTarget(silent.getsockname()[1], USER, HOST.public, tmp_path))
        with pytest.raises(RigError, match=r"did not answer within 0\.1 s") as caught:
            ssh.connect(0.1)
    assert caught.value.failure is FailureClass.HANG


@pytest.mark.parametrize(("slower", "patience"), [(1, 0.5), (8, 4.0), (80, 10.0)])
def test_a_slow_guest_is_given_time_for_its_banner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slower: float, patience: float
) -> None:
    """Each connection starts an sshd in the guest: one that is given up was a start for nothing."""

    def look(_ssh: Ssh, timeout: float) -> None:
        raise RigError(FailureClass.HANG, f"looked for {timeout:g} s")

    monkeypatch.setattr("rig.guest.ssh.scaled", lambda seconds: seconds * slower)
    monkeypatch.setattr(Ssh, "_banner_socket", look)
    with pytest.raises(RigError, match=f"looked for {patience:g} s"):
        Ssh(SshTarget(1, USER, HOST.public, tmp_path)).connect(1000)


def test_connecting_ends_when_the_guest_does(tmp_path: Path) -> None:
    gone = RigError(FailureClass.LOST, "QEMU was killed")
    started = time.monotonic()
    with pytest.raises(RigError, match="killed"):
        Ssh(SshTarget(1, USER, HOST.public, tmp_path), health=lambda: gone).connect(30)
    assert time.monotonic() - started < 5


def test_the_users_own_ssh_gets_its_files(tmp_path: Path) -> None:
    line = SshTarget(2222, USER, HOST.public, tmp_path).command_line()
    assert line.startswith(f"ssh -i {tmp_path}/ssh_key -p 2222 ")
    assert stat.S_IMODE((tmp_path / "ssh_key").stat().st_mode) == 0o600
    assert (tmp_path / "ssh_known_hosts").read_text() == f"[127.0.0.1]:2222 {HOST.public}\n"


def test_guest_paths_are_no_host_paths(tmp_path: Path) -> None:
    path = GuestPath("/tmp") / "a" / "../b"
    assert (str(path), path.name, path.parent) == ("/tmp/b", "b", GuestPath("/tmp"))
    with pytest.raises(RigError, match="not an absolute path"):
        GuestPath("tmp")
    with pytest.raises(TypeError):
        open(path)  # type: ignore[call-overload]  # noqa: PTH123, SIM115
    with pytest.raises(TypeError):
        tmp_path / path  # type: ignore[operator]
    assert not isinstance(path, Path)


def mixing_is_a_type_error(ssh: Ssh, here: Path, there: GuestPath) -> None:
    """Never run: `warn_unused_ignores` fails the type check when one of these is accepted."""
    ssh.put(there, here)  # type: ignore[arg-type]
    ssh.get(here, there)  # type: ignore[arg-type]
