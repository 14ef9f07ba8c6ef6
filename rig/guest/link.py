# SPDX-License-Identifier: MIT
"""The connection to the guest's agent: one request at a time, each with a deadline."""

from __future__ import annotations

import errno
import os
import secrets
import select
import socket
import time
from pathlib import Path

from rig.errors import FailureClass, RigError
from rig.guest import wire
from rig.guest.shell import Health, no_health, why_lost
from rig.guest.wire import Op

_RECV = 1 << 18
_SLICE_S = 0.2
"""How often a wait looks whether the guest is still alive."""


class AgentError(RigError):
    """The agent refused a request; `errno` is the guest's reason."""

    def __init__(self, what: str, number: int) -> None:
        name = errno.errorcode.get(number, str(number))
        super().__init__(FailureClass.INFRA, f"{what}: {name} ({os.strerror(number)})")
        self.errno = number


class Link:
    """One session with the agent. All errors are `RigError` (see `rig.guest.agent`)."""

    def __init__(
        self,
        path: Path,
        *,
        connect_timeout: float,
        answer_timeout: float,
        health: Health = no_health,
    ) -> None:
        self.slack = answer_timeout
        """What the agent may take to answer beyond a request's own timeout, s."""
        self.session = secrets.randbits(63) + 1
        self.socket = _connect(path, time.monotonic() + connect_timeout)
        self._health = health
        self._last_id = 0
        self._deframer = wire.Deframer()

    def call(self, op: Op, body: bytes, what: str, timeout: float | None = None) -> bytes:
        """One request and its reply's body.

        `timeout` in s covers both, None: `slack`. `what` names the request in errors.
        """
        deadline = time.monotonic() + (self.slack if timeout is None else timeout)
        self._last_id += 1
        self.send(wire.request(self.session, self._last_id, op, body), deadline, what)
        while True:
            self._ready(select.POLLIN, deadline, what)
            try:
                data = self.socket.recv(_RECV)
            except BlockingIOError:
                continue
            except ConnectionError as exc:
                raise self._lost(what) from exc
            if not data:
                raise self._lost(what)
            for frame in self._deframer.feed(data):
                if (frame.session, frame.id) != (self.session, self._last_id):
                    continue  # an answer to a host that is gone, or that gave up waiting
                if frame.status:
                    raise AgentError(what, frame.status)
                return frame.body

    def send(self, data: bytes, deadline: float, what: str) -> None:
        """Write all of `data` before `deadline` (monotonic s)."""
        view = memoryview(data)
        while view:
            self._ready(select.POLLOUT, deadline, what)
            try:
                view = view[self.socket.send(view) :]
            except BlockingIOError:
                continue
            except ConnectionError as exc:
                raise self._lost(what) from exc

    def _ready(self, event: int, deadline: float, what: str) -> None:
        """Wait until the socket is ready; HANG at the deadline, or what `health` says."""
        poll = select.poll()
        poll.register(self.socket, event)
        while (left := deadline - time.monotonic()) > 0:
            if poll.poll(min(left, _SLICE_S) * 1000):
                return
            if (error := self._health()) is not None:
                raise error
        raise RigError(
            FailureClass.HANG,
            f"no answer from the guest's agent: {what}",
            hint="the serial console may still answer (`rig shell`); see its log",
        )

    def _lost(self, what: str) -> RigError:
        gone = RigError(FailureClass.LOST, f"the guest is gone: {what} has no answer")
        return why_lost(self._health, gone)


def _connect(path: Path, deadline: float) -> socket.socket:
    """Connect to the machine's socket; it exists from the moment the machine's process runs."""
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    conn.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        conn.connect(str(path))
    except OSError as exc:
        conn.close()
        raise RigError(
            FailureClass.LOST, f"cannot reach the guest's agent at {path}: {exc.strerror or exc}"
        ) from exc
    conn.setblocking(False)
    return conn
