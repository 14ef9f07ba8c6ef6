# SPDX-License-Identifier: MIT
"""`rig b4-check` on a good patch and on a bad one, called as b4 calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rig.bench.history import Branch
from tests.nightly.planted import Plan, plant

CHECK = (sys.executable, "-m", "rig.cli.main", "b4-check", "probe-defer/heap-late")


@pytest.fixture(scope="module")
def branch(tmp_path_factory: pytest.TempPathFactory) -> Branch:
    return plant(tmp_path_factory.mktemp("b4") / "linux", Plan(2, bad=2))


def check(branch: Branch, number: int) -> subprocess.CompletedProcess[str]:
    patch = branch.git("format-patch", "--stdout", "-1", branch.commits[number])
    mail = patch.split("\n", 1)[1] + "\n"
    done = subprocess.run(CHECK, cwd=branch.path, input=mail, text=True,
                          capture_output=True, check=False)  # fmt: skip
    print(done)
    return done


def test_nothing_is_said_of_a_good_patch(branch: Branch) -> None:
    done = check(branch, 1)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_bad_patch_fails_with_its_reason(branch: Branch) -> None:
    done = check(branch, 2)
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("ERROR: probe-defer/heap-late: PROBE: panthor's probe did not end in")
