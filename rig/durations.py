# SPDX-License-Identifier: MIT
"""How long scenarios took before: the longest start first, so that none is waited for alone."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

from rig.store import Store
from rig.verdict.verdict import Verdict

UNKNOWN_S = 10.0


class Durations:
    """Seconds by scenario, kept beside the store. Only an order depends on it, never a verdict."""

    def __init__(self, store: Store) -> None:
        self._path = store.root / "durations.json"
        try:
            self._seconds: dict[str, float] = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            self._seconds = {}

    def expected(self, scenario: str) -> float:
        """What it took last time."""
        return float(self._seconds.get(scenario, UNKNOWN_S))

    def update(self, verdicts: Iterable[Verdict]) -> None:
        """Remember a run; another rig may do so at the same time: the last one wins."""
        self._seconds.update((v.scenario, round(sum(v.stages.values()), 1)) for v in verdicts)
        scratch = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):  # a full disk must not cost the verdicts
            scratch.write_text(json.dumps(self._seconds, indent=1, sort_keys=True))
            scratch.rename(self._path)
