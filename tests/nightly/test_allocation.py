# SPDX-License-Identifier: MIT
"""Each allocation of a probe and of GROUP_CREATE fails in turn, in the debug kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.catalogue import entries
from rig.teeth import Mutant, choose, load
from tests.guest.conftest import Ran, Rig, bite, told

KNOWN = {
    "allocation/drm-minor": "kernel log: oops: .* in kobject_put; .*panthor_probe",
    "allocation/devfreq-device": "kernel log: oops: .*panthor_devfreq_init",
    "allocation/opp-property": "ended as {'EINVAL': 1}, not as ENOMEM",
    "allocation/irq-name": "ended as {'ENXIO': 1, 'ENODEV': 2}, not as ENOMEM",
    "allocation/io-pgtable": "ended as {'EINVAL': 1}, not as ENOMEM",
    "allocation/fw-section": "kernel log: WARNING in panthor_fw_init_section_mem",
    "allocation/drm-scheduler": "kernel log: .*group_free_queue",
}
"""Upstream's defects, and what their ends say: whoever mends one gets a red test here."""
SWEEPS = [e.id for e in entries() if e.family == "allocation" and e.id not in KNOWN]


@pytest.fixture(scope="module")
def swept(rig: Rig) -> Ran:
    return rig("--debug", *SWEEPS)


def test_every_place_failed_once_and_nothing_was_left(swept: Ran) -> None:
    assert told(swept) == dict.fromkeys(SWEEPS, ("PASS", None))


@pytest.mark.parametrize("scenario", SWEEPS)
def test_the_sweep_says_how_many(swept: Ran, scenario: str) -> None:
    notes = [note["text"] for note in swept.verdicts[scenario]["notes"]]
    assert any("failed in turn" in text for text in notes), notes


@pytest.mark.parametrize(
    ("scenario", "file"),
    [
        ("allocation/group-slab", "drivers/gpu/drm/scheduler/sched_main.c"),
    ],
)
def test_what_is_left_out_is_told_with_its_lines(swept: Ran, scenario: str, file: str) -> None:
    notes = swept.verdicts[scenario]["notes"]
    told = [note["text"] for note in notes if note["kind"] == "KNOWN_ISSUE"]
    assert any(file in text for text in told), notes


@pytest.mark.parametrize(("scenario", "says"), KNOWN.items())
def test_what_is_left_out_shows_by_itself(rig: Rig, scenario: str, says: str) -> None:
    row = rig("--debug", scenario).verdicts[scenario]
    assert row["outcome"] == "FAIL"
    assert re.search(says, row["sentence"]), row["sentence"]


@pytest.mark.parametrize("mutant", choose((), load(), debug=True), ids=lambda mutant: mutant.name)
def test_teeth_of_the_debug_kernel(mutant: Mutant, kept: Path) -> None:
    """Lost error paths, and what only a module shows; the review findings want them too."""
    bite(mutant, kept)
