# SPDX-License-Identifier: MIT
"""The whole catalogue against the table of expected verdicts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rig.catalogue import entries
from rig.paths import REPO
from tests.guest.conftest import Rig

EXPECTED = tomllib.loads((Path(__file__).parent / "expected.toml").read_text())
SERIES = REPO / "kernel_config" / "series"
WHOLE = {
    "heap-name": (),
    "base": ("--no-series",),
    "heap-name-as-posted": ("--series", str(SERIES / "heap-name-as-posted")),
}
CHOSEN = {name: ("--series", str(SERIES / name)) for name in ("heap-phandle", "protm-init")}
"""Contracts of which this ring runs the rows that there are; the nightly ring runs all."""
ARGUMENTS = WHOLE | {name: (*series, *EXPECTED[name]) for name, series in CHOSEN.items()}
ROWS = [
    (contract, scenario, verdict)
    for contract, rows in EXPECTED.items()
    for scenario, verdict in rows.items()
]


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_the_table_names_every_scenario(contract: str) -> None:
    always = {entry.id for entry in entries() if not entry.on_demand}
    if contract in WHOLE:
        assert EXPECTED[contract].keys() == always
    else:
        assert EXPECTED[contract].keys() <= always


@pytest.mark.parametrize(("contract", "scenario", "expected"), ROWS)
def test_verdict(rig: Rig, contract: str, scenario: str, expected: str) -> None:
    row = rig(*ARGUMENTS[contract]).verdicts[scenario]
    outcome, _, finding = expected.partition(": ")
    assert row["outcome"] == outcome, row["sentence"]
    assert re.search(finding, row["sentence"]), "it fails, but not for the defect it has"
    if outcome == "PASS":  # a pass without a guest would be a hole in the rig
        assert row["stages"]["restore"] > 0
        assert "Linux version" in Path(row["run_dir"], "console.log").read_text(errors="replace")
        assert Path(row["run_dir"], "gpu-events.jsonl").is_file()
    else:
        assert row["sentence"]


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_a_run_ends_with_0_when_nothing_fails(rig: Rig, contract: str) -> None:
    fails = any(verdict.startswith("FAIL") for verdict in EXPECTED[contract].values())
    assert rig(*ARGUMENTS[contract]).code == (1 if fails else 0)


def test_a_pinned_contract_makes_not_applicable_a_failure(rig: Rig) -> None:
    ran = rig("--no-series", "--contract", "heap-name", "probe-defer")
    assert ran.code == 1
    assert "has no parameter protected_heap_name" in ran.output


def test_a_heap_that_never_comes_is_an_integration_note_everywhere(rig: Rig) -> None:
    """The driver defers as it must (PASS); that nothing has such a heap is told beside it."""
    scenario = "probe-defer/name-never-exists"
    row = rig().verdicts[scenario]
    assert row["outcome"] == "PASS"
    (note,) = row["notes"]
    assert note["kind"] == "INTEGRATION"
    assert "'no-such-heap'" in note["text"]
    assert "protected,secure-video" in note["text"], "what there is instead is told too"
    assert f"{scenario}: INTEGRATION: {note['text']}" in rig().output
    document = ET.parse(rig().junit).getroot()
    told = [(one.get("name"), one.get("value")) for one in document.iter("property")]
    assert ("INTEGRATION", note["text"]) in told
