# SPDX-License-Identifier: MIT
"""A thousand scenario runs in a row, half of them on a machine that has no time.

    python -m tests.soak [--runs N] [--jobs N] [SCENARIO|FAMILY]...

Rounds through the catalogue, in turns on a machine of its own accord and beside one busy
process a core; the guests of those count instructions, so that no timer of the driver runs
out because its CPUs were not scheduled. What is in the ledger for the same content (rig,
kernel, machine, scenarios) is not run again: the same command goes on after a stop.

A verdict other than PASS (or NOT_APPLICABLE, which is no run) is a flake: all of this passed
before. ERROR beside a busy machine is the host's doing; more than one in 200 is not. Nothing
may be left when a round is over: no process, socket, temporary file, nor a guest's big files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from rig import interrupt
from rig.catalogue import Entry, entries, select
from rig.errors import FailureClass
from rig.options import Options
from rig.runner import new_run_dir, run
from rig.store import GIB, Store
from rig.testbed import TestBed
from rig.tested import inputs_of
from rig.ui import Reporter
from rig.verdict.verdict import Outcome
from tests.guest.damage import check_clean, running, wait_not_running

INFRA_IN = 200
"""One run beside a busy machine in so many may be the host's ERROR."""
AT_ONCE = 12
"""So many verdicts go to the ledger together: what a stop costs at most."""
_BURN = "while True: pass"


@dataclass
class Ledger:
    """What was run, one JSON object a line, for one content."""

    path: Path
    rows: list[dict[str, str | float]] = field(default_factory=list)

    @classmethod
    def of(cls, bed: TestBed, chosen: Sequence[Entry]) -> Ledger:
        """The ledger of a machine, a kernel and scenarios, with what it has by now."""
        inputs = inputs_of(bed)
        inputs.options = []  # how it was asked for
        named = msgspec.json.encode(inputs) + " ".join(e.id for e in chosen).encode()
        folder = bed.builder.store.root / "soak"
        folder.mkdir(exist_ok=True)
        return cls.at(folder / f"{hashlib.sha256(named).hexdigest()[:16]}.jsonl")

    @classmethod
    def at(cls, path: Path) -> Ledger:
        """The rows of a file; one that a kill cut off is taken out of it."""
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole)
        return cls(path, [json.loads(line) for line in whole.splitlines()])

    def add(self, row: dict[str, str | float]) -> None:
        """Append."""
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def count(self, *outcomes: str, busy: bool | None = None) -> int:
        """Rows with one of these outcomes; of one kind of round, or of both."""
        return sum(
            row["outcome"] in outcomes and busy in (None, bool(row["busy"])) for row in self.rows
        )

    @property
    def runs(self) -> int:
        """Verdicts that took a guest."""
        return self.count("PASS", "FAIL", "ERROR", "FLAKE")


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """A process a core that does nothing, as fast as it can."""
    burners = [
        subprocess.Popen([sys.executable, "-c", _BURN])
        for _ in range((os.cpu_count() or 1) if wanted else 0)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def one_round(
    bed: TestBed, chosen: Sequence[Entry], ledger: Ledger, number: int, jobs: int | None
) -> list[str]:
    """What is not in the ledger yet of one round, a few at a time; what was left behind."""
    loaded = bool(number % 2)
    bed.options = Options(icount=loaded)
    done = {row["scenario"] for row in ledger.rows if row["round"] == number}
    open_ = [entry for entry in chosen if entry.id not in done]
    found: list[str] = []
    for start in range(0, len(open_), AT_ONCE):
        run_dir = new_run_dir(bed.builder.store, "soak")
        with busy(loaded):
            verdicts = run(bed, open_[start : start + AT_ONCE], run_dir, jobs=jobs).verdicts
        for verdict in verdicts:
            ledger.add(
                {"round": number, "busy": loaded, "scenario": verdict.scenario,
                 "outcome": verdict.outcome.value, "sentence": verdict.sentence,
                 "seconds": round(verdict.seconds, 1), "logs": str(verdict.run_dir)}
            )  # fmt: skip
        found += left(run_dir)
    return found


def left(run_dir: Path) -> list[str]:
    """What a round has left that it should not have."""
    found = []
    try:
        wait_not_running("qemu-system", run_dir)
        wait_not_running("janitor", run_dir)
    except AssertionError as error:
        found.append(str(error))
    for guest in (path for path in run_dir.iterdir() if path.is_dir()):
        try:
            check_clean(guest)
        except AssertionError as error:
            found.append(str(error))
    private = Path(tempfile.gettempdir())  # nobody else's: see `main`
    found += [str(path) for path in private.iterdir()]
    found += [f"process {pid}" for pid in running(private)]
    return found


def used(store: Store) -> float:
    """GiB that runs and snapshots take."""
    kept = subprocess.run(["du", "-skx", store.root / "runs"], capture_output=True, check=True)
    runs = int(kept.stdout.split()[0]) << 10
    shots = sum(a.size for a, _used in store.artifacts() if a.name.startswith("snapshot-"))
    return (runs + shots) / GIB


def soak(names: Sequence[str], runs: int, jobs: int | None) -> int:
    """Rounds until there are so many runs; 0 when none of them was a flake and nothing is left."""
    bed = TestBed(Options(), Reporter())
    bed.build_all()
    chosen = select(names, entries())
    ledger = Ledger.of(bed, chosen)
    leaks: list[str] = []
    number = max((int(row["round"]) for row in ledger.rows), default=0)  # it may have been cut off
    while ledger.runs < runs:
        started, before = time.monotonic(), ledger.runs
        leaks += one_round(bed, chosen, ledger, number, jobs)
        number += 1
        print(
            f"soak: {ledger.runs} of {runs} runs, {ledger.count('FAIL', 'FLAKE')} flakes, "
            f"{ledger.count('ERROR')} errors, {len(leaks)} leaks, {used(bed.builder.store):.1f} "
            f"GiB; {ledger.runs - before} in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if not ledger.runs:
            raise SystemExit("soak: no scenario is applicable")
    return judged(ledger, leaks)


def judged(ledger: Ledger, leaks: Sequence[str]) -> int:
    """The end's exit code, with every reason."""
    errors, loaded = (ledger.count("ERROR", busy=True), ledger.count(
        "PASS", "FAIL", "ERROR", "FLAKE", busy=True))  # fmt: skip
    for row in ledger.rows:
        if row["outcome"] not in (Outcome.PASS.value, Outcome.NOT_APPLICABLE.value):
            how = "busy" if row["busy"] else "quiet"
            print(f"{row['outcome']} {row['scenario']} ({how}): {row['sentence']}\n  {row['logs']}")
    for leak in leaks:
        print(f"left: {leak}")
    kinds = Counter(str(row["outcome"]) for row in ledger.rows)
    print(f"{ledger.path}: {dict(kinds)}, {loaded} runs beside a busy machine")
    bad = ledger.count("FAIL", "FLAKE") + ledger.count("ERROR", busy=False)
    return 1 if bad or leaks or errors * INFRA_IN > loaded else 0


def main() -> int:
    """The command line; temporary files and sockets go to a folder of their own."""
    parser = argparse.ArgumentParser(description="scenario runs in a row")
    parser.add_argument("names", nargs="*", metavar="SCENARIO|FAMILY")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--jobs", type=int)
    arguments = parser.parse_args()
    interrupt.listen()
    with tempfile.TemporaryDirectory(prefix="rig-soak-") as private:
        os.environ["TMPDIR"] = os.environ["XDG_RUNTIME_DIR"] = private
        tempfile.tempdir = private
        try:
            return soak(arguments.names, arguments.runs, arguments.jobs)
        except KeyboardInterrupt as stopped:
            interrupt.taken()
            print(f"soak: stopped ({stopped}); the same command goes on from here")
            return FailureClass.INTERRUPTED.exit_code


if __name__ == "__main__":
    sys.exit(main())
