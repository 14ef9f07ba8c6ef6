# SPDX-License-Identifier: MIT
"""Every part of the interface is touched by a test that fails without it."""

from __future__ import annotations

import pytest

from tests.model.table import NOT_MODELLED, PAGE, Row, measure, page


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    found = measure()
    print(page(found))
    return found


def test_every_part_is_touched_and_noticed(rows: list[Row]) -> None:
    assert len(rows) > 290
    idle = {f"{row.kind} {row.name}: {row.touched} tests touch it, none fails without it"
            for row in rows if row.noticed_by == "-" and row.name not in NOT_MODELLED}  # fmt: skip
    assert idle == set()


def test_what_is_not_modelled_is_not(rows: list[Row]) -> None:
    assert NOT_MODELLED.keys() == {row.name for row in rows if row.noticed_by == "-"}


def test_page_is_current(rows: list[Row]) -> None:
    told = PAGE.read_text()
    assert told == page(rows), "run: python -m tests.model.table > docs/model-coverage.md"
