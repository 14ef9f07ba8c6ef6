# SPDX-License-Identifier: MIT
"""The user's own tree, unpatched: cannot be judged, or fails the contract that was pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.artifacts.sources import Sources
from rig.store import Store
from rig.testbed import LINUX
from rig.ui import Reporter
from tests.guest.conftest import Rig


@pytest.fixture(scope="module")
def pristine() -> Path:
    """Linux 7.3 as it was fetched."""
    return Sources(Store(), Reporter()).tree(LINUX).path


def test_an_unpatched_tree_is_not_applicable(rig: Rig, pristine: Path) -> None:
    ran = rig("--kernel", str(pristine), "probe-defer")
    assert ran.code == 125
    assert "has no parameter protected_heap_name" in ran.output


def test_an_unpatched_tree_fails_a_pinned_contract(rig: Rig, pristine: Path) -> None:
    ran = rig("--kernel", str(pristine), "--contract", "heap-name", "probe-defer")
    assert ran.code == 1
    assert "has no parameter protected_heap_name" in ran.output
