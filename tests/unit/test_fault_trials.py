# SPDX-License-Identifier: MIT
"""The table of trials: every row of the fault plan is tried, and every trial can be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.errors import RigError
from rig.gpu.event_table import BY_KIND
from rig.gpu.rows import fault_names, require_faults
from rig.paths import REPO
from rig.scenarios.fault_trials import FATES, Outcome, found, page, results, save, trials
from rig.scenarios.fault_ways import WAYS


def test_every_row_of_the_plan_is_tried() -> None:
    assert {trial.fault for trial in trials()} == set(fault_names())


def test_every_trial_can_be_made() -> None:
    families = {entry.name for entry in entries() if entry.family == "faults"}
    for trial in trials():
        require_faults([(trial.fault, trial.value), *trial.plan.items()])
        assert trial.family in families, trial.name
        assert trial.way in WAYS, trial.name
        assert bool(trial.argv) == (trial.way not in ("probe", "unload", "watchdog")), trial.name
        assert trial.value, f"{trial.name} sets nothing"


def test_every_family_has_trials() -> None:
    families = {entry.name for entry in entries() if entry.family == "faults"}
    assert families == {trial.family for trial in trials()}


@pytest.mark.parametrize("trial", trials(), ids=lambda trial: trial.name)
def test_a_trial_says_what_settles_it(trial: object) -> None:
    """File and lines of Linux 7.3, or a function of the series; "-" where no driver can see it."""
    told = trial.where  # type: ignore[attr-defined]
    one = r"(panthor_\w+\.c:\d+(-\d+)?(, \d+(-\d+)?)*|heap-name: \w+\(\))"
    assert re.fullmatch(rf"-|{one}(, {one})*", told), told
    assert trial.why.endswith("."), trial.why  # type: ignore[attr-defined]


def test_what_the_device_must_see_are_events_with_such_fields() -> None:
    for trial in trials():
        for wanted in trial.sees:
            kind, *fields = wanted.split()
            names = {field.name for field in BY_KIND[kind].fields}
            assert {field.split("=")[0] for field in fields} <= names, wanted


def test_no_end_matches_everything() -> None:
    for trial in trials():
        assert not trial.matches("nothing"), f"{trial.name}: a client that says nothing passes"


def test_a_reset_is_counted_where_the_driver_resets() -> None:
    for trial in trials():
        assert (trial.fate == "resets") <= (trial.resets > 0), trial.name


def test_a_row_that_is_none_is_told(tmp_path: Path) -> None:
    table = tmp_path / "t.toml"
    table.write_text('[[trial]]\nfault = "x"\nfamily = "y"\n')
    with pytest.raises(RigError, match=r"x: .*missing"):
        trials(table=table)
    good = (
        '[[trial]]\nfault = "x"\nfamily = "y"\nvalue = 1\nway = "probe"\nends = "z"\nwhere = "-"\n'
    )
    table.write_text(good + 'why = "."\nfate = "explodes"\n')
    with pytest.raises(RigError, match="no fate 'explodes'"):
        trials(table=table)
    for fate in FATES:
        table.write_text(good + f'why = "."\nfate = "{fate}"\n')
        assert trials("y", table)[0].fate == fate
        assert trials("z", table) == []


def test_outcomes_come_back_and_make_a_table(tmp_path: Path) -> None:
    outcome = Outcome("ping-never", 1, "watchdog", "resets", 1, 1, 1, "pinged", 12.5)
    (tmp_path / "faults.pings").mkdir()
    save(tmp_path / "faults.pings", [outcome])
    assert found(tmp_path) == [outcome]
    row = results([outcome]).splitlines()[-1]
    assert row == "| `ping-never` | 0x1 | watchdog | resets | 1 | 1 | 1 | pinged | 12.5 |"


def test_page_is_current() -> None:
    told = (REPO / "docs" / "fault-trials.md").read_text()
    assert told == page(), "run: python -m rig.scenarios.fault_trials > docs/fault-trials.md"
