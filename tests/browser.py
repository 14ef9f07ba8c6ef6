# SPDX-License-Identifier: MIT
"""A headless Chromium, driven over the DevTools protocol on a pipe: no port, no network.

https://chromedevtools.github.io/devtools-protocol/; `--remote-debugging-pipe` reads
commands from fd 3 and writes answers to fd 4, each a JSON text and a zero byte.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = "chromium"
ANSWER_S = 120
KEYS = {"ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "PageDown": 34,
        "PageUp": 33, "Home": 36, "End": 35, "Enter": 13, "Tab": 9}  # fmt: skip
"""Key -> Windows virtual key code, which Chromium wants for keys that type nothing."""


class Browser:
    """One page. Everything it says on its console is in `said`."""

    def __init__(self, folder: Path, wide: int = 1300, high: int = 900) -> None:
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()
        self._buffer = b""
        self._ids = itertools.count(1)
        self.said: list[str] = []
        # bash, not sh: dash knows file descriptors up to 9 only
        log = folder.with_suffix(".log").open("wb")
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec {CHROMIUM} "$@" 3<&{commands_out} 4>&{answers_in}', "bash",
             "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--no-first-run", "--disable-background-networking", f"--user-data-dir={folder}",
             f"--window-size={wide},{high}"],
            pass_fds=(commands_out, answers_in), stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        os.close(commands_out)
        os.close(answers_in)
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")
        self.look(wide=wide, high=high)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(ANSWER_S)
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command; its result. Fails with the protocol's own words."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._event(answer)

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], deadline - time.monotonic())
            assert ready, "Chromium does not answer"
            data = os.read(self._answers, 1 << 16)
            assert data, "Chromium ended"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def _event(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.consoleAPICalled":
            self.said.append(str([arg.get("value") for arg in params["args"]]))
        elif event.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(params["exceptionDetails"]))

    def open(self, page: Path, fragment: str = "") -> float:
        """Load a file; the seconds until its script ran to its end."""
        began = time.monotonic()
        self.call("Page.navigate", url=page.absolute().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        return time.monotonic() - began

    def do(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in answer, (script, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until the expression is true: looked at by the page itself at each of its frames."""
        self.do(f"new Promise(done => {{ const look = () => ({script}) ? done(1) :"
                " setTimeout(look, 5); look(); })")  # fmt: skip

    def press(self, *keys: str) -> None:
        """Press keys as a person does: names as in KEYS, or one character."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = {"windowsVirtualKeyCode": KEYS[key]} if key in KEYS else {}
            kind = "keyDown" if text else "rawKeyDown"
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text, **code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def look(self, *, wide: int, high: int, dark: bool = False) -> None:
        """Size of the window, in pixels, and whether the user wants a dark page."""
        self.call("Emulation.setDeviceMetricsOverride", width=wide, height=high,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def drag(self, fro: tuple[float, float], to: tuple[float, float]) -> None:
        """With the left button, from one point of the window to another."""
        for kind, (x, y) in (("mousePressed", fro), ("mouseMoved", to), ("mouseReleased", to)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def shot(self, path: Path) -> bytes:
        """What one sees, as a PNG."""
        data = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        path.write_bytes(data)
        return data
