# SPDX-License-Identifier: MIT
"""A synchronous face for QEMU's monitor (`qemu.qmp`), with its own event-loop thread.

The thread reads the socket all the time: events are kept in the order they came,
and QEMU never blocks on a monitor that nobody reads.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError
from qemu.qmp.protocol import ConnectError

from rig.errors import FailureClass, RigError, infra
from rig.journal import Journal

T = TypeVar("T")

COMMAND_TIMEOUT_S = 10.0
_POLL_S = 0.005
_CLOSE_S = 0.5
"""Letting go takes a millisecond, unless the far end never spoke."""

_UNTOLD = ("qom-get", "query-status")
"""Looks that change nothing and come by the hundred: not for the journal."""

# The library reports an orderly `quit` as a lost connection; the rig has its own words for it.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class QmpEvent:
    """One asynchronous event of the monitor."""

    name: str
    data: dict[str, object]
    seconds: float
    """Host time, s since the epoch, as QEMU stamped it."""


class Qmp:
    """One monitor connection. Raises `RigError`: INFRA for refused commands and
    time-outs, LOST when QEMU is gone."""

    def __init__(self, path: Path, name: str = "rig", journal: Journal | None = None) -> None:
        self._path = path
        self._journal = journal
        self._client = QMPClient(name)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._events: list[QmpEvent] = []
        self._arrived = threading.Condition()
        self._watcher: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connect(self, timeout: float, gone: Callable[[], RigError | None] = lambda: None) -> None:
        """Connect, waiting until QEMU has made its socket.

        Ends early with the error that `gone` returns (QEMU died meanwhile).
        """
        self._thread.start()
        self._call(self._connect(time.monotonic() + timeout, gone), timeout + 1, "accept a monitor")

    async def _connect(self, deadline: float, gone: Callable[[], RigError | None]) -> None:
        self._connecting = asyncio.current_task()
        while True:
            if (error := gone()) is not None:
                raise error
            try:
                left = max(0.0, deadline - time.monotonic())
                await asyncio.wait_for(self._client.connect(str(self._path)), left)
                break
            except (ConnectError, TimeoutError) as exc:  # it appears while QEMU starts
                if time.monotonic() >= deadline:
                    raise infra(f"QEMU did not open its monitor {self._path} in time") from exc
                await asyncio.sleep(_POLL_S)
        listener = EventListener()
        self._client.register_listener(listener)
        self._watcher = asyncio.create_task(self._watch(listener))

    async def _watch(self, listener: EventListener) -> None:
        async for message in listener:
            stamp = cast(dict[str, int], message["timestamp"])
            event = QmpEvent(
                str(message["event"]),
                dict(cast(dict[str, object], message.get("data", {}))),
                stamp["seconds"] + stamp["microseconds"] / 1e6,
            )
            if self._journal is not None:
                self._journal.note("qmp-event", event.name, **event.data)
            with self._arrived:
                self._events.append(event)
                self._arrived.notify_all()

    def execute(self, command: str, /, **arguments: object) -> Any:
        """Run one command; ``-`` in argument names is written ``_``. Returns QEMU's answer."""
        return self.execute_with(command, {k.replace("_", "-"): v for k, v in arguments.items()})

    def execute_with(
        self,
        command: str,
        arguments: dict[str, object],
        timeout: float = COMMAND_TIMEOUT_S,
    ) -> Any:
        """Run one command with the argument names as QEMU spells them."""
        if self._journal is None or command in _UNTOLD:
            return self._execute(command, arguments, timeout)
        with self._journal.step("qmp", command, **arguments):
            return self._execute(command, arguments, timeout)

    def _execute(self, command: str, arguments: dict[str, object], timeout: float) -> Any:
        try:
            return self._call(
                self._client.execute(command, arguments), timeout, f"answer `{command}`"
            )
        except ExecuteError as exc:
            raise infra(f"QEMU refused `{command}`: {exc}") from exc

    def human(self, line: str) -> str:
        """Run a line of the human monitor, for what QMP has no command for."""
        return str(self.execute_with("human-monitor-command", {"command-line": line}))

    def qom_get(self, path: str, name: str) -> Any:
        """Read one QOM property, such as ``/machine/peripheral/gpu`` ``fault-ping``."""
        return self.execute_with("qom-get", {"path": path, "property": name})

    def qom_set(self, path: str, name: str, value: object) -> None:
        """Write one QOM property."""
        self.execute_with("qom-set", {"path": path, "property": name, "value": value})

    def stop(self) -> None:
        """Stop the virtual CPUs (and virtual time)."""
        self.execute("stop")

    def cont(self) -> None:
        """Let the virtual CPUs run."""
        self.execute("cont")

    def status(self) -> str:
        """QEMU's run state: ``running``, ``paused``, ``inmigrate``…"""
        return str(self.execute("query-status")["status"])

    def events(self, name: str | None = None) -> list[QmpEvent]:
        """Events so far, of one name or all."""
        with self._arrived:
            return [e for e in self._events if name in (None, e.name)]

    def wait_event(
        self, name: str, timeout: float, accept: Callable[[QmpEvent], bool] = lambda _e: True
    ) -> QmpEvent:
        """The first event of that name that `accept` takes; past events count."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for event in self._events:
                    if event.name == name and accept(event):
                        return event
                if not self._arrived.wait(deadline - time.monotonic()):
                    raise infra(f"QEMU sent no {name} event within {timeout:g} s")

    def quit(self, timeout: float) -> bool:
        """Ask QEMU to end; whether it took the order. Refusal is no error: it may be gone."""
        try:
            self.execute_with("quit", {}, timeout)
        except RigError as error:
            return error.failure is FailureClass.LOST  # it went before it could answer
        return True

    def close(self) -> None:
        """Drop the connection and end the thread. Safe at any stage, more than once."""
        if not self._thread.is_alive():
            self._loop.close()  # never connected, or closed before
            return
        # a connection that is cut off in the middle may complain; nobody wants to know any more
        self._loop.set_exception_handler(lambda _loop, _context: None)
        try:
            self._call(self._disconnect(), _CLOSE_S, "let go of its monitor")
        except RigError:
            pass  # the far end vanished first: that is what closing is for
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
            if not self._thread.is_alive():
                self._loop.close()

    async def _disconnect(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        if self._connecting is not None and not self._connecting.done():
            # Ctrl-C while QEMU starts. The library ends a cancelled connect with a disconnect
            # of its own, and an assertion of its fails when two run at a time (0.0.6)
            if not self._connecting.cancelling():
                self._connecting.cancel()
            await asyncio.wait({self._connecting})
        await self._client.disconnect()

    def _call(self, work: Coroutine[Any, Any, T], timeout: float, what: str) -> T:
        """Run `work` on the loop's thread and wait for it at most `timeout` s."""
        if not self._thread.is_alive():
            work.close()
            raise infra(f"cannot ask QEMU to {what}: the monitor is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError as exc:
            future.cancel()
            raise infra(f"QEMU did not {what} within {timeout:g} s") from exc
        except KeyboardInterrupt:
            future.cancel()  # nobody waits for it any more, and `close` comes next
            raise
        except ExecuteError:
            raise
        except (QMPError, EOFError, OSError, concurrent.futures.CancelledError) as exc:
            raise RigError(
                FailureClass.LOST, f"QEMU went away before it could {what}", hint="see qemu.log"
            ) from exc
