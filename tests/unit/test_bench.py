# SPDX-License-Identifier: MIT
"""The bench: its arithmetic, its words, and that a missed budget is a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rig.bench.commands import build_figures
from rig.bench.figures import Figure, compared
from rig.bench.guest import numbers
from rig.cli import bench
from rig.cli import main as cli
from rig.errors import FailureClass
from rig.store import MANIFEST, Store
from rig.ui import output


def test_a_ratio_is_that_of_the_medians() -> None:
    figure = compared("x", (1.0, 2.0, 9.0), (1.0, 1.6, 3.0), 1.15)
    assert figure.value == pytest.approx(1.25)
    assert figure.samples == pytest.approx((1.0, 1.25, 3.0))
    assert figure.over


def test_on_the_budget_is_within_it() -> None:
    assert not compared("x", (1.15,), (1.0,), 1.15).over
    assert not Figure("x", "s", (99.0,)).over


def test_unequal_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        compared("x", (1.0, 2.0), (1.0,), 1.15)


def test_json_has_every_sample_and_the_spread() -> None:
    told = json.loads(json.dumps(Figure("x", "s", (3.0, 1.0, 2.0)).as_json()))
    assert (told["value"], told["min"], told["max"]) == (2.0, 1.0, 3.0)
    assert told["samples"] == [3.0, 1.0, 2.0]


def test_numbers_of_a_client() -> None:
    text = "value=0xa8670005 reads=10 us=3 reads_per_s=3333.5\nwait=ok\nRESULT ok\n"
    assert numbers(text) == {"reads": 10.0, "us": 3.0, "reads_per_s": 3333.5}


def test_words_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the file say the same."""
    figures = [compared("boot", (2.0,), (1.0,), 1.15), Figure("MMIO reads", "1/s", (4e6,))]
    bench._print(output(), figures, [0.5, 1.5])
    bench._write(tmp_path / "b.json", figures, [0.5, 1.5])
    told = capsys.readouterr().out
    assert "load before 0.5, after 1.5" in told
    assert "4,000,000" in told
    document = json.loads((tmp_path / "b.json").read_text())
    assert [figure["over"] for figure in document["figures"]] == [True, False]


def test_a_build_costs_what_the_dearest_did(tmp_path: Path) -> None:
    """The last one may have compiled one file."""
    store = Store(tmp_path / "cache")
    for name, key, cpu in (
        ("image", "a", 797.0), ("image", "b", 31.5), ("qemu", "c", 280.0),
        ("verdict", "d", 0.0), ("snapshot-secure", "e", 2.0),
    ):  # fmt: skip
        with store.publishing(name, key, {}):
            pass
        manifest = store.path_of(name, key) / MANIFEST
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "cpu_seconds": cpu}))
    told = [(figure.name, figure.value) for figure in build_figures(store)]
    assert told == [("build image", 797.0), ("build qemu", 280.0)]


def test_a_wrong_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["bench", "speed"]) == FailureClass.USAGE.exit_code
    assert "'speed' is not one of" in capsys.readouterr().err
