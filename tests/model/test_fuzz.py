# SPDX-License-Identifier: MIT
"""The kept inputs of the fuzz targets, once each, by the compiler of the other tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.model.fuzz import CORPUS, TARGETS, kept
from tests.model.native import made


@pytest.fixture(scope="module")
def programs() -> Iterator[str]:
    with made("replay") as objects:
        yield str(objects)


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_break_no_rule(target: str, programs: str) -> None:
    argv = [f"{programs}/replay-{target}", str(CORPUS / f"{target}.hex")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    counted = re.fullmatch(r"(\d+) inputs\n", done.stdout)
    assert counted and int(counted[1]) == len(kept(target))
