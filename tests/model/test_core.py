# SPDX-License-Identifier: MIT
"""The core's own tests, natively under ASan and UBSan."""

from __future__ import annotations

import re

from tests.model.native import made, make


def test_core() -> None:
    with made() as objects:
        last = (make(objects, "test").splitlines() or ["nothing"])[-1]
    counted = re.fullmatch(r"(\d+) passed, 0 failed", last)
    assert counted, last
    assert int(counted[1]) > 300, "the core's test runner lost its tests"
