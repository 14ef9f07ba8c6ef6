# SPDX-License-Identifier: MIT
"""`rig series` and `rig bisect` for real: two patches on heap-name, the first one broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rig.options import DEFAULT_SERIES, mutant_patch

SCENARIO = "probe-defer/heap-late"
HARMLESS = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Tester <tester@example.invalid>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH] Add a file that nothing compiles

---
 drivers/gpu/drm/panthor/NOTES | 1 +
 1 file changed, 1 insertion(+)

diff --git a/drivers/gpu/drm/panthor/NOTES b/drivers/gpu/drm/panthor/NOTES
new file mode 100644
--- /dev/null
+++ b/drivers/gpu/drm/panthor/NOTES
@@ -0,0 +1 @@
+nothing
--
2.39.5
"""


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "v1"
    folder.mkdir()
    shutil.copyfile(mutant_patch("no-defer"), folder / "0001-no-defer.patch")
    (folder / "0002-notes.patch").write_text(HARMLESS)
    return folder


def rig(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rig.cli.main", *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)  # pytest shows it when a test fails
    return done


def test_the_broken_patch_is_found(series: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    below = ("--prereq", str(DEFAULT_SERIES))
    assert rig("series", str(series), SCENARIO, *below, "--json", str(table)).returncode == 1
    rows = [state["verdicts"][0] for state in json.loads(table.read_text())["states"]]
    assert [row["outcome"] for row in rows] == ["PASS", "FAIL", "FAIL"]
    assert [row["new_failure"] for row in rows] == [False, True, False]
    assert rows[1]["signature"] == rows[2]["signature"]
    assert rows[2]["reused"]  # the second patch does not change a module

    found = rig("bisect", "0", "2", "--scenario", SCENARIO, "--series", str(series), *below)
    assert found.returncode == 0
    assert "first bad patch: 1 mutant: fail the probe for good" in found.stdout
    assert f"[{rows[1]['signature']}]" in found.stdout
