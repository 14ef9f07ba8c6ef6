# SPDX-License-Identifier: MIT
"""`rig matrix` on this machine and on two workers of dask.distributed: the same verdicts.

The workers have stores of their own, so every artifact travels; one is killed mid-run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rig.deadlines import scaled

ARGV = (
    *("probe-defer/heap-late", "probe-defer/no-parameter"),
    *("--contract", "base", "--contract", "heap-name"),
    *("--gpu", "g610", "--gpu", "g510", "--gpu", "g715"),
)
CELLS = 2 * 3 * 2
START_S = 60.0


@dataclass
class Cluster:
    """A scheduler and its workers."""

    url: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    file = tmp_path / "scheduler.json"
    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                      "--scheduler-file", str(file))  # fmt: skip
    deadline = time.monotonic() + scaled(START_S)
    while not file.exists() or not file.read_text().strip():
        assert time.monotonic() < deadline, "the scheduler does not come up"
        assert scheduler.poll() is None, "the extra `cluster` is needed: make nightly installs it"
        time.sleep(0.1)
    url = json.loads(file.read_text())["address"]
    workers = [
        start("dask_worker", url, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
              "--local-directory", str(tmp_path / f"dask-{number}"),
              RIG_CACHE=str(tmp_path / f"store-{number}"))
        for number in (1, 2)
    ]  # fmt: skip
    yield Cluster(url, workers)
    for process in (*workers, scheduler):
        process.terminate()
        process.wait()


def start(module: str, *argv: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *argv],
        env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def matrix(json_file: Path, *argv: str, kill: subprocess.Popen[bytes] | None = None) -> Any:
    """What the matrix found; `kill`s a worker as soon as a guest has passed somewhere."""
    command = [sys.executable, "-u", "-m", "rig.cli.main", "matrix", *ARGV, *argv]
    lines = []
    with subprocess.Popen(
        [*command, "--json", str(json_file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as rig:  # fmt: skip
        for line in rig.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
            if kill is not None and " passed (" in line and kill.poll() is None:
                kill.kill()
                kill.wait()
    assert rig.returncode == 0
    return json.loads(json_file.read_text())


def told(cells: Any) -> dict[str, list[tuple[str, str]]]:
    return {
        cell["cell"]: [(v["scenario"], v["outcome"]) for v in cell["verdicts"]] for cell in cells
    }


def test_a_cluster_says_what_this_machine_says(cluster: Cluster, tmp_path: Path) -> None:
    here = matrix(tmp_path / "here.json", "--workers", "2")
    there = matrix(tmp_path / "there.json", "--scheduler", cluster.url)
    assert len(told(here)) == CELLS
    assert told(there) == told(here)
    assert len({cell["worker"] for cell in there}) == 2
    assert {outcome for rows in told(here).values() for _, outcome in rows} == {
        "PASS",
        "NOT_APPLICABLE",
    }


def test_a_killed_worker_loses_no_result(cluster: Cluster, tmp_path: Path) -> None:
    here = matrix(tmp_path / "here.json", "--workers", "2")
    killed = cluster.workers[0]
    there = matrix(tmp_path / "there.json", "--scheduler", cluster.url, kill=killed)
    assert killed.returncode is not None
    assert told(there) == told(here)
    for cell in there:
        for verdict in cell["verdicts"]:
            assert verdict["run_dir"] is None or Path(verdict["run_dir"]).is_dir()
