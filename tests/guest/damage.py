# SPDX-License-Identifier: MIT
"""What the tests of bad input share: scenarios of their own, damaged parts, and who still runs."""

from __future__ import annotations

import itertools
import os
import textwrap
import time
from pathlib import Path

from rig.catalogue import entries
from rig.options import Options
from rig.report.table import print_verdicts
from rig.runner import new_run_dir, run
from rig.testbed import TestBed
from rig.ui import Reporter, output
from rig.verdict.verdict import Outcome, Verdict

_NUMBERS = itertools.count()
HEAD = "from rig.scenarios.kit import Scenario, scenario\n"


def fresh_bed(*, cold: bool = False) -> TestBed:
    """A bed whose parts a test may replace before the run; a replaced one needs `cold`."""
    return TestBed(Options(cold=cold), Reporter())


def judge(bed: TestBed, folder: Path, code: str) -> Verdict:
    """The verdict on one scenario, written as the body of a file; it is also printed."""
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    # a run in this process imports it, and a name is imported only once
    (scenarios / f"bad{next(_NUMBERS)}.py").write_text(HEAD + textwrap.dedent(code))
    result = run(bed, entries(scenarios), new_run_dir(bed.builder.store, "bad-input"), jobs=1)
    print_verdicts(output(), "bad input", result.verdicts)
    (verdict,) = result.verdicts
    assert not running(result.run_dir), "something of the guest still runs"
    return verdict


def check_told(verdict: Verdict) -> None:
    """One clear line; the guest's logs are kept, and the big files are not."""
    assert verdict.sentence
    assert "\n" not in verdict.sentence
    assert "Traceback" not in verdict.sentence
    if verdict.outcome is Outcome.ERROR:
        assert verdict.hint, "no next step"
    assert verdict.run_dir is not None
    assert (verdict.run_dir / "console.log").is_file()
    assert (verdict.run_dir / "qemu.log").is_file()
    check_clean(verdict.run_dir)


def check_clean(folder: Path) -> None:
    """Nothing is left of a guest but what it said."""
    left = [name for name in ("ram", "initrd.cpio", "sockets") if os.path.lexists(folder / name)]
    assert not left, f"left in {folder}: {left}"


def running(*words: Path | str) -> list[int]:
    """Processes, without this one, with all of `words` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if all(str(word) in line for word in words):
                found.append(int(entry.name))
    return found


def wait_not_running(*words: Path | str, timeout: float = 15) -> None:
    """Wait until no such process is left."""
    deadline = time.monotonic() + timeout
    while left := running(*words):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)
