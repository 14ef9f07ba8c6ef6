# SPDX-License-Identifier: MIT
"""A QEMU that is none: it opens the sockets of its command line and misbehaves on order.

The order is in ``-append``: ``fake=die`` (exits at once), ``fake=crash`` (dies of a
signal on `fake-crash`), ``fake=deaf`` (ignores `quit` and SIGTERM), ``fake=mute`` (QMP
never greets), ``fake=panic`` (the guest panics while it boots). `fake-silence` is a
QMP command that is never answered. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # a bare interpreter runs this file

from tests.fakes.torn import TornShell

BOOT = "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]\nrig: ready\n"
PANIC = "[    0.400000] Kernel panic - not syncing: VFS: Unable to mount root fs\n"
NETWORK = "TCP[HOST_FORWARD]  12       127.0.0.1 40022       10.0.2.15    22     0     0\n"


def options(argv: list[str]) -> dict[str, dict[str, str]]:
    """Properties of the ``-chardev`` options by id, and the other options by name."""
    found: dict[str, dict[str, str]] = {}
    for name, value in pairwise(argv):
        pairs = dict(p.split("=", 1) for p in value.split(",") if "=" in p)
        if name == "-chardev":
            found[pairs["id"]] = pairs
        elif name == "-append":
            found["append"] = dict(p.split("=", 1) for p in value.split() if "=" in p)
        elif name == "-object":
            found["ram"] = pairs
    return found


class Monitor:
    """One QMP client."""

    def __init__(self, path: str, mode: str, shell: TornShell) -> None:
        self._mode = mode
        self._shell = shell
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()

    def serve(self) -> None:
        """Serve one client until it leaves."""
        client, _ = self._server.accept()
        self._server.close()
        if self._mode == "mute":
            threading.Event().wait()
        greeting = {"QMP": {"version": {"qemu": {}, "package": ""}, "capabilities": []}}
        with client, suppress(ConnectionError):
            self._send(client, greeting)
            for request in self._requests(client):
                self._answer(client, request)

    @staticmethod
    def _requests(client: socket.socket) -> Iterator[dict[str, Any]]:
        """JSON objects as they come; nothing but their own end separates them."""
        text = ""
        while data := client.recv(4096):
            text += data.decode()
            while text := text.lstrip():
                try:
                    request, end = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    break
                text = text[end:]
                yield request

    def _answer(self, client: socket.socket, request: dict[str, Any]) -> None:
        name = request["execute"]
        if name in ("fake-silence",) or (name == "quit" and self._mode == "deaf"):
            return
        if name == "fake-crash":
            print("qemu-fake: ../hw/mali.c:12: Assertion `ok' failed.", flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
            signal.pause()  # it may reach another thread first
        replies: dict[str, Any] = {
            "qmp_capabilities": {},
            "quit": {},
            "stop": {},
            "cont": {},
            "query-status": {"status": "running"},
            "human-monitor-command": NETWORK,
            "qom-get": 7,
        }
        if name not in replies:
            error = {"class": "CommandNotFound", "desc": f"The command {name} has not been found"}
            self._send(client, {"error": error, "id": request.get("id")})
            return
        self._send(client, {"return": replies[name], "id": request.get("id")})
        if name == "cont":
            self._shell.go()
            self._event(client, "RESUME")
        if name == "quit":
            self._event(client, "SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})
            self._shell.close()
            os._exit(0)

    def _event(self, client: socket.socket, name: str, data: dict[str, Any] | None = None) -> None:
        stamp = {"seconds": int(time.time()), "microseconds": 0}
        self._send(client, {"event": name, "data": data or {}, "timestamp": stamp})

    @staticmethod
    def _send(client: socket.socket, message: dict[str, Any]) -> None:
        client.sendall(json.dumps(message).encode() + b"\r\n")


def main() -> None:
    given = options(sys.argv)
    mode = given["append"].get("fake", "")
    if mode == "die":
        print("qemu-fake: warning: this is not the reason", flush=True)
        print("qemu-fake: -device mali-csf: no such GPU 'g0'", flush=True)
        sys.exit(1)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with Path(given["ram"]["mem-path"]).open("r+b") as ram:
        ram.truncate(int(given["ram"]["size"][:-1]) << 20)
    log = Path(given["console"]["logfile"]).open("wb", buffering=0)  # noqa: SIM115
    shell = TornShell(
        Path(given["console"]["path"]), boot=PANIC if mode == "panic" else BOOT, log=log.write
    )
    for name in ("qmp", "qmp-user"):
        monitor = Monitor(given[name]["path"], mode, shell)
        threading.Thread(target=monitor.serve, daemon=True).start()
    signal.pause()
    while mode == "deaf":
        signal.pause()


if __name__ == "__main__":
    main()
