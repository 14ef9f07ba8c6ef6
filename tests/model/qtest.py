# SPDX-License-Identifier: MIT
"""QEMU without a guest: the device's registers, lines, clock and memory from Python.

`QTest` starts QEMU with `-accel qtest` (no CPU runs, virtual time moves only by
`clock_step`), talks to it through socket pairs handed down as file descriptors
(nothing listens anywhere), and takes it down with the test. Every wait has a
deadline; a QEMU that dies ends the test with its last words.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.model.channel import Channel, QTestError

__all__ = ["GPU", "RAM", "Event", "QTest", "QTestError"]

GPU = 0x0B000000
RAM = 0x40000000
Event = dict[str, Any]


class QTest:
    """A QEMU with one `mali-csf` called "gpu"; use it in a `with` block."""

    def __init__(
        self,
        binary: Path,
        *extra: str,
        device: str = "",
        machine: str = "virt,gic-version=3",
        accel: str = "qtest",
        firewall: bool | str = False,
    ) -> None:
        self.irq: dict[int, bool] = {}
        """Level of each line that has changed so far."""
        self._news: list[Event] = []
        self._folder = tempfile.TemporaryDirectory(prefix="qtest-")
        self._log, self._stderr, self._denials = (
            Path(self._folder.name) / name for name in ("events", "stderr", "denials")
        )
        more = [firewall] if isinstance(firewall, str) else []  # options of the firewall
        guard: Sequence[str] = [
            "-chardev", f"file,id=fwev,path={self._denials}",
            "-device", ",".join(["tzc400,id=firewall,events=fwev", *more]),
        ] if firewall else []  # fmt: skip
        device = ",".join(filter(None, [device, "firewall=firewall" if firewall else ""]))
        self._qtest, self._monitor = Channel(), Channel()
        fds = [c.theirs.fileno() for c in (self._qtest, self._monitor)]
        arguments: Sequence[str] = [
            "setpriv", "--pdeathsig", "KILL", str(binary),
            "-M", machine, "-accel", accel, "-m", "64", "-cpu", "cortex-a57",
            "-display", "none", "-nodefaults", "-no-user-config", "-no-shutdown",
            "-chardev", f"socket,id=q,fd={fds[0]}", "-qtest", "chardev:q",
            "-qtest-log", "/dev/null",
            "-chardev", f"socket,id=m,fd={fds[1]}", "-mon", "chardev=m,mode=control",
            *guard, "-chardev", f"file,id=ev,path={self._log}",
            "-device", f"mali-csf,id=gpu,events=ev{',' if device else ''}{device}", *extra,
        ]  # fmt: skip
        with self._stderr.open("wb") as stderr:
            self._qemu = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, pass_fds=fds
            )
        for channel in (self._qtest, self._monitor):
            channel.theirs.close()

    def __enter__(self) -> QTest:
        try:
            self._monitor.receive()  # the greeting
            self.qmp("qmp_capabilities")
            self.command("irq_intercept_out", "/machine/peripheral/gpu", "irq")
        except QTestError as exc:
            self.__exit__(None, None, None)
            raise QTestError(f"{exc}; QEMU said: {self.stderr}") from exc
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._qemu.kill()
        self._qemu.wait()
        self.stderr = self._stderr.read_text(errors="replace").strip()
        self._qtest.close()
        self._monitor.close()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Of QEMU."""
        return self._qemu.pid

    def command(self, *words: str | int) -> list[str]:
        """One qtest command; the words of its answer."""
        self._qtest.send(" ".join(hex(w) if isinstance(w, int) else w for w in words))
        while True:
            answer = self._qtest.receive().split()
            if answer[0] == "IRQ":
                self.irq[int(answer[2])] = answer[1] == "raise"
            elif answer[0] == "OK":
                return answer[1:]
            else:
                raise QTestError(f"{words[0]}: {' '.join(answer)}")

    def read(self, address: int) -> int:
        """32-bit read of a physical address."""
        return int(self.command("readl", address)[0], 16)

    def write(self, address: int, value: int) -> None:
        self.command("writel", address, value)

    def memory(self, address: int, length: int) -> bytes:
        return base64.b64decode(self.command("b64read", address, length)[0])

    def fill(self, address: int, data: bytes) -> None:
        self.command("b64write", address, len(data), base64.b64encode(data).decode())

    def step(self, ns: int) -> int:
        """Let virtual time pass; the time now, ns."""
        return int(self.command("clock_step", ns)[0])

    def qmp(self, name: str, **arguments: object) -> Any:
        """One monitor command. Events that come meanwhile are kept for `wait_event`."""
        self._monitor.send(json.dumps({"execute": name, "arguments": arguments}))
        while True:
            answer = json.loads(self._monitor.receive())
            if "error" in answer:
                raise QTestError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self._news.append(answer)

    def wait_event(self, *names: str) -> Event:
        """The next monitor event of one of these kinds: its data, with its name as "event"."""
        while True:
            event = self._news.pop(0) if self._news else json.loads(self._monitor.receive())
            if event["event"] in names:
                return {"event": event["event"], **event.get("data", {})}

    def get(self, name: str) -> int:
        """A property of the GPU."""
        return int(self.qmp("qom-get", path="/machine/peripheral/gpu", property=name))

    def set(self, name: str, value: int) -> None:
        self.qmp("qom-set", path="/machine/peripheral/gpu", property=name, value=value)

    def firewall(self, name: str, value: str | None = None) -> int:
        """Read a property of the firewall, or program it through one."""
        where = {"path": "/machine/peripheral/firewall", "property": name}
        if value is None:
            return int(self.qmp("qom-get", **where))
        self.qmp("qom-set", **where, value=value)
        return 0

    def denials(self) -> list[Event]:
        """What the firewall refused so far."""
        lines = [json.loads(line) for line in self._denials.read_text().splitlines()]
        return [e for e in lines if e["ev"] == "denial"]

    def events(self, kind: str | None = None) -> list[Event]:
        """The device's event log so far. Complete up to the last command's effects."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [e for e in lines if kind in (None, e["ev"])]
