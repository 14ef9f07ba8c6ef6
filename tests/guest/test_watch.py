# SPDX-License-Identifier: MIT
"""`rig watch` on a user's tree: an edit, an error of the compiler, a correction, Ctrl-C."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.artifacts.sources import Sources
from rig.kernel.repo import PANTHOR
from rig.options import DEFAULT_SERIES
from rig.store import Store
from rig.testbed import LINUX
from rig.ui import Reporter

FILE = f"{PANTHOR}/panthor_devfreq.c"
"""Not in the context of any patch of ours."""


@pytest.fixture
def mine() -> Iterator[Path]:
    """A copy of Linux that shares its files: what differs is written anew, never in place."""
    pristine = Sources(Store(), Reporter()).tree(LINUX).path
    copy = pristine.parent / "tests-watched-tree"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-al", str(pristine), str(copy)], check=True)
    yield copy
    shutil.rmtree(copy)


def replace_file(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    scratch.rename(path)


def lines_until(watch: subprocess.Popen[str], pattern: str) -> list[str]:
    assert watch.stdout is not None
    lines: list[str] = []
    for line in watch.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"{pattern!r} never came:\n{''.join(lines)}")


def test_an_edit_is_judged_and_an_error_told_once(mine: Path) -> None:
    good = (mine / FILE).read_text()
    options = ["--kernel", str(mine), "--series", str(DEFAULT_SERIES)]
    argv = [sys.executable, "-u", "-m", "rig.cli.main", "watch", *options]
    with subprocess.Popen(
        [*argv, "probe-defer/no-parameter"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as watch:  # fmt: skip
        try:
            lines_until(watch, "no-parameter.*PASS.*restore")

            never_built = f"rig_watched_{uuid.uuid4().hex}"
            replace_file(mine / FILE, good + f"\nint {never_built};\n")
            said = lines_until(watch, "no-parameter.*PASS.*restore")
            assert any("built modules" in line for line in said)
            assert not any("built image" in line for line in said), "the module alone suffices"

            replace_file(mine / FILE, good + "\nint rig_watched = ;\n")
            number = len(good.splitlines()) + 2
            lines_until(watch, rf"{re.escape(str(mine / FILE))}:{number}:\d+: error:")

            replace_file(mine / FILE, good)
            said = lines_until(watch, "no-parameter.*PASS.*restore")
            assert not any("error:" in line for line in said), "told once"

            watch.send_signal(signal.SIGINT)
            assert watch.wait(60) == 130
        finally:
            watch.kill()
