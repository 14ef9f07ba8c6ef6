# SPDX-License-Identifier: MIT
"""`rig run --repeat` on a driver that works every second time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rig.options import DEFAULT_SERIES
from tests.nightly.planted import Plan, half, plant

SCENARIO = "probe-defer/heap-late"
RUNS = 12
"""All end alike once in 2048 times."""


def test_a_driver_that_works_every_second_time_is_a_flake(tmp_path: Path) -> None:
    branch = plant(tmp_path / "linux", Plan(1, bad=1, break_it=half))
    patch = tmp_path / "0001-half.patch"
    patch.write_text(branch.git("format-patch", "--stdout", "-1", "main") + "\n")
    argv = ("--series", str(DEFAULT_SERIES), "--series", str(patch), "--repeat", str(RUNS))
    done = subprocess.run(
        [sys.executable, "-m", "rig.cli.main", "run", *argv, SCENARIO],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(done.stdout + done.stderr)
    assert done.returncode == 1
    assert f"of {RUNS} runs failed: panthor's probe did not end in deferral" in " ".join(
        done.stdout.split()
    )
    assert "FLAKE" in done.stdout
