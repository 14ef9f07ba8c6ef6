# SPDX-License-Identifier: MIT
"""The review findings: each is claimed by a scenario and a mutant, or says why not; runs decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig import bundle, tested
from rig.bundle import Cell, Line, Matrix, Run
from rig.catalogue import entries
from rig.errors import RigError
from rig.review_table import REVIEWS, Review
from rig.reviews import gather, judge, newest
from rig.teeth import load
from rig.tested import rig_version
from tests.unit.test_bundle import INPUTS

REVIEW = Review("T-4a", "no name, no heap")
SCENARIO = "probe-defer/empty-parameter"
IDS = {
    "1": "a b c d", "2": "a b c", "3": "a", "4": "a b c d e f g g2 h i j k l m", "5": "a b",
    "6": "a b", "7": "a b c d e f g h i j k l m n o p q r s", "8": "a b c d e",
}  # fmt: skip
"""The ids of the specification."""


def test_the_table_has_every_id_of_the_specification() -> None:
    wanted = [f"T-{part}{letter}" for part, letters in IDS.items() for letter in letters.split()]
    assert [review.id for review in REVIEWS] == wanted
    assert all(review.means for review in REVIEWS)


def test_each_is_claimed_by_a_scenario_and_its_killer_or_says_why_not() -> None:
    """Whether that is true is told by runs (tests/guest/test_teeth.py)."""
    catalogue, mutants = entries(), load()
    for review in REVIEWS:
        scenarios = {entry.id for entry in catalogue if review.id in entry.reviews}
        having = [one for one in mutants if review.id in one.reviews]
        killed = {name for one in having for name in one.killers}
        assert all(one.base == review.on for one in having if review.on), review.id
        assert bool(scenarios & killed) != bool(review.impossible), review.id


def test_nobody_claims_a_finding_that_the_table_does_not_have() -> None:
    known = {review.id for review in REVIEWS}
    for entry in entries():
        assert known.issuperset(entry.reviews), entry.id
    for mutant in load():
        assert known.issuperset(mutant.reviews), mutant.name


def ran(folder: Path, outcome: str = "PASS", **changed: object) -> Path:
    """A run of one scenario that speaks to T-4a."""
    inputs = tested.Inputs(**{name: getattr(INPUTS, name) for name in INPUTS.__struct_fields__})
    inputs.rig, inputs.faults = rig_version(), {}
    for name, value in changed.items():
        setattr(inputs, name, value)
    row = bundle.Row(SCENARIO, outcome, "", None, 1.0, {}, None)
    folder.mkdir()
    run = Run(["rig"], 0.0, inputs, [SCENARIO], [row], reviews={SCENARIO: ("T-4a",)})
    bundle.save(folder / bundle.RUN, run)
    return folder


def bitten(folder: Path, rig: str = "", base: str = "heap-name", /, **changed: object) -> Path:
    """A mutant with T-4a, and what that scenario said to it."""
    cell = Cell(SCENARIO, "FAIL", "deferred", None, wanted="FAIL")
    for name, value in changed.items():
        setattr(cell, name, value)
    line = Line("defer-on-empty", "it defers", [cell], base, reviews=("T-4a",))
    folder.mkdir()
    matrix = Matrix("teeth", "t", ["rig"], 0.0, [line], rig=rig or rig_version())
    bundle.save(folder / bundle.MATRIX, matrix)
    return folder


def test_a_pass_and_a_kill_show_a_finding(tmp_path: Path) -> None:
    folders = [bitten(tmp_path / "b"), ran(tmp_path / "a")]
    (shown,) = judge(gather(folders), "heap-name", [REVIEW])
    assert shown.proofs == ((SCENARIO, ("defer-on-empty",), ("heap-name",)),)
    assert shown.good


def test_a_user_tree_and_a_series_are_told_apart(tmp_path: Path) -> None:
    series = [tested.PatchSet("/a/heap-name-as-posted", "d", [])]
    folders = [ran(tmp_path / "a", patches=series), bitten(tmp_path / "b")]
    assert not judge(gather(folders), "heap-name", [REVIEW])[0].good
    assert judge(gather(folders), "heap-name-as-posted", [REVIEW])[0].good


@pytest.mark.parametrize(
    ("passed_on", "bitten_on", "good"),
    [
        ("protm-init", "protm-init", True),
        ("heap-name", "protm-init", False),
        ("protm-init", "heap-name", False),
    ],
)
def test_a_finding_of_one_contract_is_shown_there_alone(
    tmp_path: Path, passed_on: str, bitten_on: str, good: bool
) -> None:
    folders = [ran(tmp_path / "a", contract=passed_on), bitten(tmp_path / "b", "", bitten_on)]
    (shown,) = judge(gather(folders), "heap-name", [Review("T-4a", "x", on="protm-init")])
    assert shown.good == good


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": "FAIL"},
        {"outcome": "ERROR"},
        {"contract": "base"},
        {"faults": {"ping-never": 1}},
        {"firewall": False},
        {"options": ["--mutant", "x"]},
        {"rig": "0.0 older"},
    ],
)
def test_a_run_that_shows_nothing(tmp_path: Path, changed: dict[str, object]) -> None:
    outcome = str(changed.pop("outcome", "PASS"))
    folders = [ran(tmp_path / "a", outcome, **changed), bitten(tmp_path / "b")]
    assert not judge(gather(folders), "heap-name", [REVIEW])[0].good


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": "PASS", "good": False},
        {"good": False},
        {"outcome": "PASS", "wanted": "PASS"},
        {"scenario": "probe-defer/no-parameter"},
        {"rig": "0.0 older"},
    ],
)
def test_a_mutant_that_shows_nothing(tmp_path: Path, changed: dict[str, object]) -> None:
    rig = str(changed.pop("rig", ""))
    folders = [ran(tmp_path / "a"), bitten(tmp_path / "b", rig, **changed)]
    assert not judge(gather(folders), "heap-name", [REVIEW])[0].good


def test_a_reason_beside_a_proof_is_wrong(tmp_path: Path) -> None:
    folders = [ran(tmp_path / "a"), bitten(tmp_path / "b")]
    (shown,) = judge(gather(folders), "heap-name", [Review("T-4a", "x", "impossible")])
    assert not shown.good


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="no run of this rig"):
        gather([tmp_path])


def test_of_all_kept_runs_those_of_another_rig_are_left_out(tmp_path: Path) -> None:
    good = ran(tmp_path / "2")
    other = ran(tmp_path / "1") / bundle.RUN
    other.write_text(other.read_text().replace('"PASS"', "7"))
    (tmp_path / "3").mkdir()
    assert newest(tmp_path) == [good]
    good.joinpath(bundle.RUN).unlink()
    with pytest.raises(RigError, match="no run in"):
        newest(tmp_path)
