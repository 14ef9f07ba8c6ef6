# SPDX-License-Identifier: MIT
"""Booted guests and restored ones: the same verdicts, on good drivers and on broken ones."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rig.teeth import Mutant, load
from tests.guest.conftest import Rig, told
from tests.guest.test_catalogue import ARGUMENTS


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_the_whole_table(rig: Rig, contract: str) -> None:
    restored, booted = (rig(*ARGUMENTS[contract], *cold) for cold in ((), ("--cold",)))
    assert told(restored) == told(booted)
    assert restored.code == booted.code


@pytest.mark.parametrize("mutant", load(), ids=lambda mutant: mutant.name)
def test_teeth_of_booted_guests(mutant: Mutant) -> None:
    """The guest ring has them of restored guests."""
    argv = [sys.executable, "-m", "rig.cli.main", "teeth", "--cold", mutant.name]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
