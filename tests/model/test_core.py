# SPDX-License-Identifier: MIT
"""The core's own tests, natively under ASan and UBSan."""

from __future__ import annotations

import re
import subprocess

from rig.paths import REPO
from rig.store import Store


def test_core() -> None:
    objects = Store().work("core-tests")
    argv = ["make", "-s", "-j2", "-C", str(REPO / "qemu_models" / "core"), "test", f"O={objects}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    last = (done.stdout.splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    counted = re.fullmatch(r"(\d+) passed, 0 failed", last)
    assert counted, last
    assert int(counted[1]) > 100, "the core's test runner lost its tests"
