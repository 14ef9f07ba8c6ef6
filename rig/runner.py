# SPDX-License-Identifier: MIT
"""A run: chosen scenarios on one test bed, in one folder, with one list of verdicts."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from rig import bundle, cache, interrupt
from rig.ahead import Ahead
from rig.catalogue import Entry
from rig.durations import Durations
from rig.errors import FailureClass, infra
from rig.hold import hold, unused
from rig.judge import Judge, OnFailure, folder_of, spec_of
from rig.leftovers import sweep, sweep_temporary
from rig.session import Session, Start
from rig.snapshots import Shelf
from rig.stages import canonical
from rig.store import Store, full_disk
from rig.testbed import TestBed
from rig.verdict.verdict import Outcome, Verdict

KEEP_RUNS = 30
GUEST_BYTES = 1 << 30
"""Memory that one guest and its QEMU may take."""
_PR_SET_PDEATHSIG = 1
_REMIND_S = 0.2
_ALONE = (
    *("-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "rig.pytest_plugin"),
    # five garbage collections a scenario, for warnings that nobody would see
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
)
"""pytest as the rig needs it, whatever plugins the user's environment has."""


@dataclass(frozen=True)
class RunResult:
    """What a run found."""

    verdicts: list[Verdict]
    run_dir: Path
    seconds: float


def new_run_dir(store: Store, label: str = "run") -> Path:
    """A fresh folder for a run's logs; the oldest ones make room."""
    root = store.root / "runs"
    try:
        return _new_folder(root, label)
    except OSError as exc:
        raise full_disk(exc, root) or infra(
            f"cannot create a folder for the run in {root}: {exc.strerror}",
            "make it a folder you may write to, or set RIG_CACHE to one",
        ) from exc


def _new_folder(root: Path, label: str) -> Path:
    root.mkdir(exist_ok=True)
    sweep_temporary()
    found = sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())
    for old in found[:-KEEP_RUNS]:
        cache.drop_run(old)  # unless its rig still runs
    for old in found[-KEEP_RUNS:]:
        with unused(old / cache.LIVE) as over:
            if over:
                sweep(old)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    number = 0
    while True:
        path = root / (f"{stamp}-{label}" + (f"-{number}" if number else ""))
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        hold(path / cache.LIVE, create=True)
        return path


def default_jobs(memory: int = 1) -> int:
    """Guests at a time: one more than cores, as far as memory goes.

    There is always one that waits for a timer of the driver (a ping takes 12 s).
    `memory`: how much more of it a guest takes than one of the plain kernel.
    """
    meminfo = Path("/proc/meminfo").read_text()
    # not the free pages: after a build most memory is page cache, which gives way
    available = int(meminfo.split("MemAvailable:")[1].split()[0]) << 10
    return max(1, min((os.cpu_count() or 1) + 1, available // (GUEST_BYTES * memory)))


@contextmanager
def expecting(bed: TestBed, entries: Sequence[Entry], run_dir: Path) -> Iterator[None]:
    """Restore the guest of a run to come while the block builds its modules, and runs it.

    Only for one scenario that starts from a snapshot which is there; whatever ends the block
    takes the guest down, unless the run has. Raises `RigError` when the Image does not build.
    """
    ahead = bed.ahead = _ahead(bed, entries, run_dir)
    try:
        yield
    finally:
        bed.ahead = None
        if ahead is not None:
            ahead.close()


def _ahead(bed: TestBed, entries: Sequence[Entry], run_dir: Path) -> Ahead | None:
    if len(entries) != 1 or bed.options.boots:
        return None
    (entry,) = entries
    spec = spec_of(entry)
    if spec is None:
        return None
    bed.build_unloaded()
    stage = canonical(spec.stage, spec.config.flavour)
    origin = Shelf(bed, run_dir).there(spec.config, stage)
    if origin is None:
        return None
    folder = run_dir / folder_of(entry.id)
    return Ahead(Session(bed, folder, spec.config, Start(origin)), stage)


def run(
    bed: TestBed,
    entries: Sequence[Entry],
    run_dir: Path,
    *,
    jobs: int | None = None,
    on_failure: OnFailure | None = None,
) -> RunResult:
    """Run scenarios, `jobs` guests at a time, the longest first.

    Every entry ends in exactly one verdict, in the order of `entries`; one that
    does not is the rig's failure. With `on_failure` (a person who wants to look) one
    guest at a time.
    """
    if not entries:
        raise infra("no scenario was chosen: nothing would be judged", "`rig run --list`")
    started = time.monotonic()
    bed.build_all()
    record = bundle.begin(bed, run_dir, {entry.id: entry.reviews for entry in entries})
    history = Durations(bed.builder.store)
    waiting = sorted(entries, key=lambda entry: history.expected(entry.id), reverse=True)
    count = 1 if on_failure else min(jobs or default_jobs(bed.flavour.memory), len(waiting))
    found = (
        _one_by_one(bed, waiting, run_dir, on_failure)
        if count == 1
        else _pool(bed, waiting, run_dir, count)
    )
    verdicts: dict[str, Verdict] = {}
    for verdict in found:
        verdicts[verdict.scenario] = verdict
        bed.ui.progress("scenarios", len(verdicts), len(entries))
    history.update(verdicts.values())
    ordered = [verdicts[entry.id] for entry in entries]
    result = RunResult(ordered, run_dir, time.monotonic() - started)
    record.timings = {name: round(seconds, 3) for name, seconds in bed.ui.timings.items()}
    bundle.finish(record, run_dir, ordered, result.seconds)
    return result


def _one_by_one(
    bed: TestBed, entries: Sequence[Entry], run_dir: Path, on_failure: OnFailure | None
) -> Iterator[Verdict]:
    for entry in entries:
        yield _judge(bed, entry, run_dir, on_failure)


def _pool(bed: TestBed, entries: Sequence[Entry], run_dir: Path, jobs: int) -> Iterator[Verdict]:
    """Forked workers: they inherit what is built, and end with this process."""
    fork = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(jobs, mp_context=fork, initializer=_inherit, initargs=(bed,))
    try:
        futures = [pool.submit(_judge_inherited, entry, run_dir) for entry in entries]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as exc:
        interrupt.check()  # the signal may have gone to all of us
        raise infra("a worker of the run was killed", "see the logs", run_dir) from exc
    finally:
        _end(pool, multiprocessing.active_children())


def _end(pool: ProcessPoolExecutor, workers: Sequence[BaseProcess]) -> None:
    """Tell the workers to stop until they have.

    `kill -INT` told only us. A worker does not listen between two scenarios, and in a
    destructor Python drops what the signal raises; what takes a guest down bears it.
    The pool's own thread must have ended too: the interpreter's end would talk to it over a
    pipe that it may just be closing. Only the first `shutdown` waits for it, so that one has
    a thread to wait in.
    """
    closing = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
    closing.start()
    running = list(workers)
    while running:
        for worker in running:
            assert worker.pid is not None  # it was started
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(worker.pid, signal.SIGINT)
        ended = wait([worker.sentinel for worker in running], _REMIND_S)
        running = [worker for worker in running if worker.sentinel not in ended]
    closing.join()


_inherited: list[TestBed] = []


def _inherit(bed: TestBed) -> None:
    """Start of a worker: it dies with the rig, and hears Ctrl-C only while it judges."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise infra("this kernel cannot end a worker with its rig")
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != os.getppid():
        os._exit(FailureClass.LOST.exit_code)  # the rig ended before the call above
    _inherited[:] = [bed]


def _judge_inherited(entry: Entry, run_dir: Path) -> Verdict:
    if not _inherited:
        raise KeyboardInterrupt
    signal.signal(signal.SIGINT, interrupt.on_signal)
    try:
        return _judge(_inherited[0], entry, run_dir)
    except KeyboardInterrupt:
        interrupt.taken()
        _inherited.clear()  # what is queued for this worker is not begun any more
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge(
    bed: TestBed, entry: Entry, run_dir: Path, on_failure: OnFailure | None = None
) -> Verdict:
    """One scenario by pytest, its own report in a file: the user sees our table."""
    judge = Judge(bed, run_dir, on_failure)
    arguments = [
        *(["-s"] if on_failure else []),  # the terminal is the user's
        *("-q", *_ALONE, "--rootdir", str(entry.file.parent)),
        *("-c", "/dev/null", "-o", "python_files=*.py", "--no-header", "--tb=short"),
        entry.node,
    ]
    path = run_dir / f"{entry.id.replace('/', '.')}.pytest.log"
    with path.open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        pytest.main(arguments, plugins=[judge])
    judge.check_interrupted()  # pytest's exit code says the same of a file it cannot import
    if [verdict.scenario for verdict in judge.verdicts] != [entry.id]:
        why = judge.collect_error or f"no verdict; see {path}"
        return Verdict(entry.id, Outcome.ERROR, why, FailureClass.INFRA)
    return judge.verdicts[0]
