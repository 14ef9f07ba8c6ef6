# SPDX-License-Identifier: MIT
"""Runs `rig` as a user would, once a set of arguments, and keeps what it said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rig.bundle import MATRIX, RUN
from rig.errors import FailureClass
from rig.teeth import Mutant
from rig.verdict.signature import signature_of
from rig.verdict.verdict import Outcome, Verdict

Rig = Callable[..., "Ran"]


@dataclass(frozen=True)
class Ran:
    """One finished `rig` command."""

    code: int
    output: str
    verdicts: dict[str, dict[str, Any]]
    """Scenario id → its row of the JSON file; empty when there was no run."""
    junit: Path
    kept: Path
    """A folder with the run's run.json, which the rig's own folder may lose to later runs."""


def told(ran: Ran) -> dict[str, tuple[str, str | None]]:
    """Scenario id → outcome, and the failure's signature: what two runs may be compared by."""
    assert ran.verdicts, ran.output
    found = {}
    for name, row in ran.verdicts.items():
        failure = next((one for one in FailureClass if one.label == row["failure"]), None)
        verdict = Verdict(name, Outcome(row["outcome"]), row["sentence"], failure)
        signature = signature_of(verdict)
        found[name] = (row["outcome"], signature.text if signature else None)
    return found


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """Call `rig run` with arguments; the same arguments run only once a session."""
    done: dict[tuple[str, ...], Ran] = {}

    def call(*arguments: str) -> Ran:
        if arguments not in done:
            json_file = tmp_path_factory.mktemp("rig") / "verdicts.json"
            done[arguments] = _call(list(arguments), json_file)
        return done[arguments]

    return call


def _call(arguments: list[str], json_file: Path) -> Ran:
    junit = json_file.with_name("junit.xml")
    files = ("--json", str(json_file), "--junit", str(junit))
    argv = [sys.executable, "-m", "rig.cli.main", "run", *arguments, *files]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    output = ended.stdout + ended.stderr
    print(output)  # pytest shows it when a test fails
    rows = json.loads(json_file.read_text())["verdicts"] if json_file.exists() else []
    keep(output, RUN, junit.parent)
    verdicts = {row["scenario"]: row for row in rows}
    return Ran(ended.returncode, output, verdicts, junit, junit.parent)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the result of each mutant goes, in a folder of its name."""
    return tmp_path_factory.mktemp("teeth")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One `rig` command to its end."""
    argv = [sys.executable, "-m", "rig.cli.main", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def bite(mutant: Mutant, kept: Path, *options: str) -> None:
    """`rig teeth` of one mutant, which must be what its row says; its result is kept."""
    done = command("teeth", *options, mutant.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(mutant.killers) + len(mutant.survivors)} passed, 0 failed" in done.stdout
    folder = kept / mutant.name
    folder.mkdir()
    keep(done.stdout, MATRIX, folder)


def keep(output: str, name: str, folder: Path) -> None:
    """Copy a result out of the run's folder, which the output of the rig names."""
    told = re.search(r"^logs: (\S+)$", output, re.MULTILINE)
    if told:
        shutil.copy(Path(told[1], name), folder)
