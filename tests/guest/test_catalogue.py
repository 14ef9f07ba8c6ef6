# SPDX-License-Identifier: MIT
"""The whole catalogue against the table of expected verdicts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rig.catalogue import entries
from tests.guest.conftest import Rig

EXPECTED = tomllib.loads((Path(__file__).parent / "expected.toml").read_text())
ARGUMENTS = {"heap-name": (), "base": ("--no-series",)}
ROWS = [
    (contract, scenario, verdict)
    for contract, rows in EXPECTED.items()
    for scenario, verdict in rows.items()
]


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_the_table_names_every_scenario(contract: str) -> None:
    assert sorted(EXPECTED[contract]) == sorted(entry.id for entry in entries())


@pytest.mark.parametrize(("contract", "scenario", "expected"), ROWS)
def test_verdict(rig: Rig, contract: str, scenario: str, expected: str) -> None:
    row = rig(*ARGUMENTS[contract]).verdicts[scenario]
    assert row["outcome"] == expected, row["sentence"]
    if expected == "PASS":  # a pass without a booted guest would be a hole in the rig
        assert row["stages"]["boot"] > 0
        assert "Linux version" in Path(row["run_dir"], "console.log").read_text(errors="replace")
        assert Path(row["run_dir"], "gpu-events.jsonl").is_file()
    else:
        assert row["sentence"]


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_a_run_of_passes_ends_with_0(rig: Rig, contract: str) -> None:
    assert rig(*ARGUMENTS[contract]).code == 0


def test_a_pinned_contract_makes_not_applicable_a_failure(rig: Rig) -> None:
    ran = rig("--no-series", "--contract", "heap-name", "probe-defer")
    assert ran.code == 1
    assert "has no parameter protected_heap_name" in ran.output
