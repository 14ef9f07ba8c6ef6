# SPDX-License-Identifier: MIT
"""The model ring: QEMU with our device, driven without a guest.

It needs the built QEMU: `$RIG_QEMU` (a binary), else the one in the store for
the sources as they are now. A missing one fails the ring; it never skips.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.artifacts.qemu import BINARY, QemuRecipe
from rig.artifacts.recipe import Builder
from rig.errors import RigError
from rig.store import Artifact, Store, key_of
from rig.ui import Reporter
from tests.model.mcu import Mcu
from tests.model.qtest import QTest


def _from_store(recipe: QemuRecipe) -> Artifact | None:
    store = Store()
    inputs = recipe.inputs(Builder(store, Reporter()))
    return store.find(recipe.name, key_of({"recipe": f"{recipe.name}/{recipe.version}", **inputs}))


@pytest.fixture(scope="session")
def qemu_binary() -> Path:
    """The QEMU under test."""
    if override := os.environ.get("RIG_QEMU"):
        if not os.access(override, os.X_OK):
            pytest.fail(f"RIG_QEMU={override} is not a program", pytrace=False)
        return Path(override)
    try:
        artifact = _from_store(QemuRecipe())
    except RigError as exc:
        pytest.fail("\n".join(exc.lines()), pytrace=False)
    if artifact is None:
        pytest.fail("no QEMU for these sources: build it with `rig build qemu`", pytrace=False)
    return artifact.path / BINARY


@pytest.fixture
def gpu(qemu_binary: Path) -> Iterator[QTest]:
    """A fresh machine with the GPU in its default configuration."""
    with QTest(qemu_binary) as qemu:
        yield qemu


@pytest.fixture
def mcu(gpu: QTest) -> Mcu:
    """The same machine, its MCU booted."""
    mcu = Mcu(gpu)
    assert mcu.boot() == 1, gpu.events("mcu-boot")
    return mcu
