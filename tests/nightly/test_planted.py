# SPDX-License-Identifier: MIT
"""`rig bisect` on a branch of forty commits, several of which are no help at all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rig.errors import FailureClass
from tests.nightly.planted import Plan, plant, seldom

SCENARIO = "probe-defer/heap-late"
PLAN = Plan(
    40, bad=27, no_build=(19, 20, 21), oopses=(31,), flakes=(*range(28, 31), *range(32, 40))
)
"""A search by halves begins at 20 and 31; whatever it asks next of the bad half is a flake."""
FLAKY = Plan(6, bad=4, break_it=seldom)
_CONFIDENCE = re.compile(
    r"  confidence ([\d.]+)%: bad states failed in (\d+) of (\d+) runs \((no flake seen|flaky)\)"
)
_DECISION = re.compile(r"(good|bad|skip) +[0-9a-f]{12} (.*?) \((\d+) runs?(.*)\)$")


def start(argv: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "rig.cli.main", *argv],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def read(rig: subprocess.Popen[str], stop_behind: int = 0) -> tuple[int, list[str]]:
    """Exit code and lines; stopped by Ctrl-C behind so many decisions, if any."""
    lines: list[str] = []
    with rig:
        for line in rig.stdout or ():
            print(line, end="", flush=True)  # pytest shows it when a test fails
            lines.append(line.rstrip("\n"))
            if _DECISION.match(lines[-1]) and len(decided(lines)) == stop_behind:
                rig.send_signal(signal.SIGINT)
    return rig.returncode, lines


def decided(lines: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Subject to what was decided of it and the rest of the line, in the order of the search."""
    found = [match for line in lines if (match := _DECISION.match(line))]
    return {match[2]: (match[1], match[4]) for match in found}


def confidence(lines: Sequence[str]) -> tuple[float, int, int]:
    """Percent; in how many of how many runs bad states failed."""
    (told,) = [m for line in lines if (m := _CONFIDENCE.match(line))]
    hits, runs = int(told[2]), int(told[3])
    assert told[4] == ("no flake seen" if hits == runs else "flaky")
    return float(told[1]), hits, runs


def by_succession(hits: int, runs: int, good: int) -> object:
    """Percent that `good` runs would not all pass, were each as bad as those."""
    return pytest.approx(100 * (1 - (1 - (hits + 1) / (runs + 2)) ** good), abs=0.01)


def test_a_planted_commit_among_forty_is_found(tmp_path: Path) -> None:
    """Around commits that do not build, an oops and a flake; Ctrl-C costs one step."""
    branch = plant(tmp_path / "linux", PLAN)
    argv = ("bisect", branch.commits[0], "main", "--scenario", SCENARIO, "--repeat", "3",
            "--kernel", str(branch.path))  # fmt: skip
    code, lines = read(start(argv), stop_behind=4)
    assert code == FailureClass.INTERRUPTED.exit_code
    before = decided(lines)
    code, lines = read(start(argv))
    found = decided(lines)
    assert code == 0
    assert f"first bad commit: {branch.commits[PLAN.bad]} step 27: the culprit" in lines
    for subject, (kind, _) in before.items():
        again, more = found[subject]
        assert again == kind
        assert kind == "skip" or "3 known before" in more
    check_specials(lines, found)
    percent, hits, runs = confidence(lines)
    assert percent == by_succession(hits, runs, 3)
    assert percent > 98  # of 12 runs and more, at most 2 hit the flake instead


def check_specials(lines: list[str], found: dict[str, tuple[str, str]]) -> None:
    """Each kind of commit was met, and none but the culprit's successors was taken for bad."""
    kinds: dict[str, set[str]] = {}
    for subject, (kind, _) in found.items():
        what = subject.rpartition("+ ")[2].rpartition(": ")[2]
        kinds.setdefault(what, set()).add(kind)
    assert kinds.pop("flakes") <= {"skip", "bad"}  # by luck none of its runs gets to the culprit
    assert kinds == {
        "heap-name": {"good"},
        "harmless": {"good", "bad"},
        "does not build": {"skip"},
        "oopses": {"skip"},
        "the culprit": {"bad"},
    }
    assert any("#error planted" in line for line in lines)
    assert any("fails with another signature: OOPS: kernel log: oops" in line for line in lines)


def test_a_flaky_culprit_is_found_and_its_confidence_told(tmp_path: Path) -> None:
    """It fails in three of four runs: six that pass by luck are (1/4)^6, once in 4096."""
    branch = plant(tmp_path / "linux", FLAKY)
    argv = ("bisect", branch.commits[0], "main", "--scenario", SCENARIO, "--repeat", "6",
            "--kernel", str(branch.path))  # fmt: skip
    code, lines = read(start(argv))
    assert code == 0
    assert f"first bad commit: {branch.commits[FLAKY.bad]} step 4: the culprit" in lines
    percent, hits, runs = confidence(lines)
    assert percent == by_succession(hits, runs, 6)
    assert percent > 95


def test_git_bisect_run_finds_it_too(tmp_path: Path) -> None:
    """With the whole tree checked out: exit codes 0, 1 and 125 are what git wants."""
    branch = plant(tmp_path / "linux", Plan(6, bad=5, no_build=(3,)))
    branch.git("checkout", "-q", "-f", "main")
    branch.git("bisect", "start", "main", branch.commits[0])
    rig = f"{sys.executable} -m rig.cli.main verdict --kernel . {SCENARIO}"
    argv = ["git", "-C", str(branch.path), "bisect", "run", *rig.split()]
    told = subprocess.run(argv, text=True, capture_output=True, check=False)
    print(told.stdout + told.stderr)
    assert told.returncode == 0
    assert "bisect found first bad commit" in told.stdout
    assert branch.git("rev-parse", "refs/bisect/bad") == branch.commits[5]
