# SPDX-License-Identifier: MIT
"""The daily loop: a change of the tree, a build, restored guests, verdicts.

Rounds follow the tree's content: a change that leaves the tree id as it was (build
products, a file touched) costs a hash and says nothing. What failed last is run
first, and the rest only when that passes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rig.catalogue import Entry
from rig.errors import FailureClass, RigError
from rig.testbed import TestBed
from rig.verdict.verdict import Outcome, Verdict

Run = Callable[[TestBed, Sequence[Entry]], Sequence[Verdict]]
_LINE = re.compile(r"(?P<file>[^\s:]+):(?P<where>\d+(?::\d+)?): (?P<what>.*)")


def _nothing(_bed: TestBed, _chosen: Sequence[Entry]) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass
class Watcher:
    """Judges one state of the tree after another, each once."""

    chosen: Sequence[Entry]
    run: Run
    told: Callable[[Sequence[Verdict]], None]
    """Hears of the verdicts of each round."""
    refused: Callable[[RigError], None]
    """Hears why a state could not be judged: once a state."""
    around: Callable[[TestBed, Sequence[Entry]], AbstractContextManager[object]] = _nothing
    """Goes around the build and the first run behind it."""
    failing: list[Entry] = field(default_factory=list)
    _tree: str = ""

    def round(self, bed: TestBed) -> bool:
        """Judge the bed's tree unless it is the one that was judged last; whether it was.

        Raises `RigError` when the rig itself fails; the tree's own failures are told.
        """
        if bed.tree.id == self._tree:
            return False
        self._tree = bed.tree.id
        first = self.failing or list(self.chosen)
        with ExitStack() as stack:
            try:
                stack.enter_context(self.around(bed, first))
                bed.build_all()
                bed.require_contract()
            except RigError as error:
                if error.failure.exit_code >= FailureClass.INFRA.exit_code:
                    raise
                self.refused(error)
                return True
            verdicts = list(self.run(bed, first))
        rest = [entry for entry in self.chosen if entry not in first]
        if rest and not _failed(verdicts):
            verdicts += self.run(bed, rest)
        bad = _failed(verdicts)
        self.failing = [entry for entry in self.chosen if entry.id in bad]
        self.told(verdicts)
        return True


def _failed(verdicts: Sequence[Verdict]) -> set[str]:
    return {v.scenario for v in verdicts if v.outcome in (Outcome.FAIL, Outcome.ERROR)}


def at_the_users_line(error: RigError, worktree: Path, tree: Path) -> str:
    """A compiler's complaint with the place in the user's tree instead of the rig's worktree."""
    found = _LINE.search(error.message)
    if found is None:
        return error.message
    file = Path(found["file"])
    if file.is_absolute() and file.is_relative_to(worktree):
        file = file.relative_to(worktree)
    own = tree / file
    place = own if not file.is_absolute() and own.exists() else file
    return f"{place}:{found['where']}: {found['what']}"


def since(started: float) -> str:
    """How long it took."""
    return f"{time.monotonic() - started:.1f} s"
