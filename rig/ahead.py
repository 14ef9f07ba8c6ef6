# SPDX-License-Identifier: MIT
"""A guest that is restored while what it shall run is being built."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from pathlib import Path

from rig.errors import RigError
from rig.session import GuestConfig, Session


class Ahead:
    """One guest on its way to a snapshot's stage, in a thread of its own; `close` ends both."""

    def __init__(self, session: Session, stage: str) -> None:
        """`session`: not entered yet; its test bed has all artifacts but the modules."""
        self._session, self._stage = session, stage
        self._gone = False
        self._thread = threading.Thread(target=self._wake, name="ahead")
        self._thread.start()

    def _wake(self) -> None:
        with suppress(RigError, OSError):  # who asks restores another one, and hears of it
            self._session.wake()

    def take(self, run_dir: Path, config: GuestConfig, stage: str) -> Session | None:
        """The session if it is the wanted one and came up: the caller's, to be entered now."""
        self._thread.join()
        session = self._session
        wanted = (session.run_dir, session.config, self._stage) == (run_dir, config, stage)
        if self._gone or not session.awake:
            return None
        if not wanted:
            self.close()
            return None
        self._gone = True
        return session

    def close(self) -> None:
        """Take down a guest that nobody took, and what it said: it ran nothing."""
        self._thread.join()
        if self._session.awake and not self._gone:
            self._gone = True
            self._session.close()
            shutil.rmtree(self._session.run_dir)
