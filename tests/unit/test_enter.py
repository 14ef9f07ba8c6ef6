# SPDX-License-Identifier: MIT
"""`rig enter`: which guest of a run is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.bundle import GUEST, RUN, Guest, Row, Run, save
from rig.cli.enter import find
from rig.errors import RigError
from tests.unit.test_bundle import INPUTS


def run_with(folder: Path, *bad: str) -> Path:
    rows = []
    for name in ("a/x", "a/y", "a/z"):
        below = folder / name.replace("/", ".")
        below.mkdir()
        save(below / GUEST, Guest(name, "f.py", "direct", {}, 512, 2))
        outcome = "FAIL" if name in bad else "PASS"
        rows.append(Row(name, outcome, "", None, 1.0, {}, below.name))
    save(folder / RUN, Run(["rig", "run"], 0.0, INPUTS, ["a/x", "a/y", "a/z"], rows))
    return folder


def test_the_failed_guest_of_a_run(tmp_path: Path) -> None:
    folder, guest, record = find(run_with(tmp_path, "a/y"))
    assert (folder, guest.scenario) == (tmp_path / "a.y", "a/y")
    assert record.inputs == INPUTS


def test_a_guest_by_its_folder(tmp_path: Path) -> None:
    assert find(run_with(tmp_path) / "a.z")[1].scenario == "a/z"


@pytest.mark.parametrize("bad", [(), ("a/x", "a/z")])
def test_it_must_be_one(tmp_path: Path, bad: tuple[str, ...]) -> None:
    with pytest.raises(RigError, match=f"{len(bad)} scenarios failed") as caught:
        find(run_with(tmp_path, *bad))
    assert "a.x, a.y, a.z" in caught.value.hint


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="is no run of this rig"):
        find(tmp_path)
