# SPDX-License-Identifier: MIT
"""The whole catalogue on the contracts of which the guest ring runs a part."""

from __future__ import annotations

import re

import pytest

from tests.guest.conftest import Rig
from tests.guest.test_catalogue import CHOSEN, EXPECTED


@pytest.mark.parametrize("contract", CHOSEN)
def test_what_has_no_row_ends_as_with_heap_name(rig: Rig, contract: str) -> None:
    expected = EXPECTED["heap-name"] | EXPECTED[contract]
    rows = rig(*CHOSEN[contract]).verdicts
    assert rows.keys() == expected.keys()
    wrong = {
        name: f"{row['outcome']}: {row['sentence']}"
        for name, row in rows.items()
        if not re.match(expected[name], f"{row['outcome']}: {row['sentence']}")
    }
    assert wrong == {}
