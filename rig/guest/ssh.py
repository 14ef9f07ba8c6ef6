# SPDX-License-Identifier: MIT
"""The guest over SSH (paramiko): commands and files, with pinned keys on both sides."""

from __future__ import annotations

import base64
import io
import shlex
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import paramiko

from rig.deadlines import scaled
from rig.errors import FailureClass, RigError, infra
from rig.guest.keys import KeyPair
from rig.guest.paths import GuestPath
from rig.guest.serial import remaining
from rig.guest.shell import Health, ShellResult, no_health, why_lost

HOST = "127.0.0.1"
USER = "root"
_BANNER_SLICE_S = 0.5
"""A connection made before the guest listens may never be answered: make a new one. Stretched
as deadlines are: the sshd of a slow guest starts for each, and would be cut off each time."""
_LONGEST_SLICE_S = 10.0
_POLL_S = 0.02


@dataclass(frozen=True)
class SshTarget:
    """Where the guest's sshd is, and whom it must turn out to be."""

    port: int
    """Loopback port on the host."""
    user_key: KeyPair
    host_key: str
    """The guest's public host key, ``ssh-ed25519 AAAA…``; another one is refused."""
    run_dir: Path
    """Key and known-hosts file for the user's own ssh go here."""

    def command_line(self) -> str:
        """The plain OpenSSH line for the user; writes the two files that it needs."""
        key = self.user_key.save(self.run_dir / "ssh_key")
        known = self.run_dir / "ssh_known_hosts"
        known.write_text(f"[{HOST}]:{self.port} {self.host_key}\n")
        options = [f"UserKnownHostsFile={known}", "IdentitiesOnly=yes", "LogLevel=ERROR"]
        flags = [word for option in options for word in ("-o", option)]
        return shlex.join(["ssh", "-i", str(key), "-p", str(self.port), *flags, f"{USER}@{HOST}"])


class Ssh:
    """One connection, as a `GuestShell` with file transfer. A context manager."""

    def __init__(self, target: SshTarget, *, health: Health = no_health) -> None:
        self._target = target
        self._health = health
        self._client = paramiko.SSHClient()
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        kind, data = target.host_key.split()[:2]
        key = paramiko.PKey.from_type_string(kind, base64.b64decode(data))
        self._client.get_host_keys().add(f"[{HOST}]:{target.port}", kind, key)

    def __enter__(self) -> Ssh:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def connect(self, timeout: float) -> None:
        """Connect as soon as sshd answers.

        Raises `RigError`: HANG when there is no banner within `timeout` s, INFRA
        for a wrong host key or a refused login, or what `health` says.
        """
        deadline = time.monotonic() + timeout
        sock = self._wait_banner(deadline, timeout)
        try:
            self._client.connect(
                HOST,
                self._target.port,
                USER,
                pkey=paramiko.Ed25519Key.from_private_key(
                    io.StringIO(self._target.user_key.private)
                ),
                sock=sock,
                allow_agent=False,
                look_for_keys=False,
                timeout=remaining(deadline),
                banner_timeout=max(1.0, remaining(deadline)),
                auth_timeout=max(1.0, remaining(deadline)),
            )
        except paramiko.BadHostKeyException as exc:
            sock.close()
            raise infra("the guest's sshd has another host key than this run gave it") from exc
        except (paramiko.SSHException, OSError, EOFError) as exc:
            sock.close()
            raise self._lost(f"the guest's sshd did not let the rig in: {exc}") from exc

    def _wait_banner(self, deadline: float, timeout: float) -> socket.socket:
        while remaining(deadline):
            if (error := self._health()) is not None:
                raise error
            patience = min(scaled(_BANNER_SLICE_S), _LONGEST_SLICE_S)
            sock = self._banner_socket(min(patience, remaining(deadline)))
            if sock is not None:
                return sock
            time.sleep(_POLL_S)
        raise RigError(FailureClass.HANG, f"the guest's sshd did not answer within {timeout:g} s")

    def _banner_socket(self, timeout: float) -> socket.socket | None:
        """A connection on which a banner waits to be read, or None."""
        try:
            sock = socket.create_connection((HOST, self._target.port), timeout)
        except OSError:
            return None
        try:
            if sock.recv(4, socket.MSG_PEEK):
                sock.settimeout(None)
                return sock
        except OSError:
            pass  # not answered, or reset: sshd is not up yet
        sock.close()
        return None

    def run(self, argv: Sequence[str], *, timeout: float, check: bool = False) -> ShellResult:
        """Run a command. See `GuestShell` for the errors."""
        command = shlex.join(argv)
        deadline = time.monotonic() + timeout
        late = f"`{command}` did not end within {timeout:g} s"
        output = bytearray()
        try:
            channel = self._transport().open_session(timeout=timeout)
            with channel:
                channel.set_combine_stderr(True)
                # `exit $?` keeps the login shell around, which turns a signal into 128 + n
                channel.exec_command(f"{command}; exit $?")
                self._collect(channel, output, deadline, late)
                status = self._exit_status(channel, deadline, command)
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise self._lost(f"the SSH connection broke in `{command}`: {exc}") from exc
        result = ShellResult(status, output.decode(errors="replace"))
        return result.checked(argv) if check else result

    def _collect(
        self, channel: paramiko.Channel, output: bytearray, deadline: float, late: str
    ) -> None:
        while True:
            channel.settimeout(min(_BANNER_SLICE_S, remaining(deadline)))
            try:
                chunk = channel.recv(65536)
            except TimeoutError:
                if (error := self._health()) is not None:
                    raise error from None
                if not remaining(deadline):
                    raise RigError(FailureClass.HANG, late) from None
                continue
            if not chunk:
                return
            output += chunk

    def _exit_status(self, channel: paramiko.Channel, deadline: float, command: str) -> int:
        if not channel.status_event.wait(remaining(deadline)):
            raise RigError(FailureClass.HANG, f"`{command}` closed its output but did not end")
        if channel.exit_status < 0:  # the connection ended first
            raise self._lost(f"the SSH connection ended without the status of `{command}`")
        return channel.exit_status

    def put(self, source: Path, target: GuestPath) -> None:
        """Copy a file into the guest."""
        self._sftp(lambda sftp: sftp.put(str(source), str(target)), f"copy {source} to {target}")

    def get(self, source: GuestPath, target: Path) -> None:
        """Copy a file out of the guest."""
        self._sftp(lambda sftp: sftp.get(str(source), str(target)), f"copy {source} to {target}")

    def _sftp(self, work: Callable[[paramiko.SFTPClient], object], what: str) -> None:
        try:
            with self._client.open_sftp() as sftp:
                work(sftp)
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise self._lost(f"could not {what} over SFTP: {exc}", FailureClass.INFRA) from exc

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise EOFError("not connected")
        return transport

    def _lost(self, message: str, failure: FailureClass = FailureClass.LOST) -> RigError:
        return why_lost(self._health, RigError(failure, message))

    def close(self) -> None:
        """Drop the connection. Needed before a snapshot."""
        self._client.close()
