# SPDX-License-Identifier: MIT
"""Contracts, GPUs, flavours, kernels and seeds: each combination once, on many workers.

Everything is built here; a worker gets the artifacts by their content keys
(`rig.remote`). What a worker found is unpacked and written down as it comes in, and a
job whose worker was lost is given again, so that a lost worker costs time and no result.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from rig import bundle, tested
from rig.catalogue import Entry
from rig.errors import FailureClass, infra
from rig.options import SERIES, Options
from rig.remote import Job, Result, unpack, work
from rig.testbed import TestBed
from rig.verdict.verdict import Verdict, outcome_of

ATTEMPTS = 3
"""How often a job is given whose worker was lost."""
BASE = "base"
"""The contract axis's name for a tree without patches."""


@dataclass(frozen=True)
class Axes:
    """The values of each axis; their product is the matrix."""

    contracts: Sequence[str]
    gpus: Sequence[str]
    flavours: Sequence[str]
    kernels: Sequence[Path | None]
    seeds: int


@dataclass(frozen=True)
class Cell:
    """One combination."""

    contract: str
    gpu: str
    flavour: str
    kernel: Path | None
    seed: int

    @property
    def name(self) -> str:
        """For tables and folders."""
        kernel = f"{self.kernel.name}." if self.kernel else ""
        return f"{kernel}{self.contract}.{self.gpu}.{self.flavour}.{self.seed}"

    def options(self, common: Options) -> Options:
        """What it asks of a test bed."""
        series = () if self.contract == BASE else (SERIES / self.contract,)
        return replace(common, kernel=self.kernel, series=series, gpu=self.gpu)


@dataclass(frozen=True)
class Found:
    """What became of a cell."""

    cell: Cell
    verdicts: tuple[Verdict, ...]
    worker: str = ""
    attempts: int = 1
    seconds: float = 0.0


def cells(axes: Axes) -> list[Cell]:
    """Kernels slowest, so that few Images are built in turns."""
    product = itertools.product(
        axes.kernels, axes.contracts, axes.gpus, axes.flavours, range(1, axes.seeds + 1)
    )
    return [Cell(contract, gpu, flavour, kernel, seed)
            for kernel, contract, gpu, flavour, seed in product]  # fmt: skip


def job_of(cell: Cell, bed: TestBed, chosen: Sequence[Entry], origin: str) -> Job | None:
    """The cell's job, its artifacts built; None: no chosen scenario has its flavour."""
    mine = [entry.id for entry in chosen if entry.flavour == cell.flavour]
    if not mine:
        return None
    bed.build_all()
    return Job(cell.name, tested.inputs_of(bed), mine, origin)


def judge(
    jobs: Iterable[tuple[Cell, Job]],
    executor: Executor,
    run_dir: Path,
    told: Callable[[Found], None],
) -> list[Found]:
    """Every job to its end, in the order they end; `told` hears of each.

    Jobs are given as they come, so that workers begin while others are built. What a
    worker could not do is the verdict of all its scenarios, never a pass.
    """
    waiting: dict[Future[bytes], tuple[Cell, Job, int]] = {}
    found: list[Found] = []
    for cell, job in jobs:
        waiting[_submitted(executor, job)] = cell, job, 1
    while waiting:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            cell, job, attempt = waiting.pop(future)
            result = _result_of(future)
            if result.failure == FailureClass.LOST.name and attempt < ATTEMPTS:
                waiting[_submitted(executor, job)] = cell, job, attempt + 1
                continue
            found.append(_found(cell, job, result, attempt, run_dir))
            told(found[-1])
    return found


def _submitted(executor: Executor, job: Job) -> Future[bytes]:
    return executor.submit(work, msgspec.msgpack.encode(job))


def _result_of(future: Future[bytes]) -> Result:
    """A worker's words, or LOST when the engine itself lost it for good."""
    error = future.exception()
    if error is not None:
        told = f"the job did not come back: {type(error).__name__}: {error}"
        return Result(failure=FailureClass.LOST.name, sentence=told)
    return msgspec.msgpack.decode(future.result(), type=Result)


def _found(cell: Cell, job: Job, result: Result, attempt: int, run_dir: Path) -> Found:
    folder = run_dir / cell.name
    folder.mkdir()
    if result.failure:
        failure = FailureClass[result.failure]
        verdicts = tuple(
            Verdict(name, outcome_of(failure), result.sentence, failure, hint=result.hint)
            for name in job.scenarios
        )
        return Found(cell, verdicts, result.worker, attempt)
    with tempfile.NamedTemporaryFile(prefix="rig-logs-", suffix=".tar.gz") as file:
        file.write(result.logs)
        file.flush()
        unpack(Path(file.name), folder)
    verdicts = tuple(bundle.verdict_of(row, folder) for row in result.rows)
    if [verdict.scenario for verdict in verdicts] != job.scenarios:
        raise infra(f"a worker answered for other scenarios than {cell.name} has", log=folder)
    return Found(cell, verdicts, result.worker, attempt, result.seconds)
