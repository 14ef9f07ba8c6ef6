# SPDX-License-Identifier: MIT
"""A signal in the middle of a real compile: nothing runs on, nothing half-written is used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from rig.artifacts.recipe import Builder, Job, Recipe
from rig.errors import FailureClass
from rig.paths import REPO
from rig.store import Store
from rig.ui import Reporter
from tests.unit.test_leash import wait_gone


class Compile(Recipe):
    """A real make with a real compiler: two files, the second takes its time."""

    name = "compiled"
    version = 1
    failure = FailureClass.BUILD

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        return {}

    def build(self, job: Job) -> None:
        if not (job.work / "Makefile").exists():
            (job.work / "a.c").write_text("int a;\n")
            (job.work / "b.c").write_text(HEAVY)
            (job.work / "Makefile").write_text("lib.a: a.o b.o\n\tar rcs $@ $^\nCFLAGS=-O2\n")
        job.run(["make"], cwd=job.work)
        (job.out / "lib.a").write_bytes((job.work / "lib.a").read_bytes())


HEAVY = "int f0(int x) { return x; }\n" + "".join(
    f"int f{n}(int x) {{ return x * {n} + f{n - 1}(x / 3); }}\n" for n in range(1, 300)
)
"""What keeps gcc busy for some hundred ms."""
BUILD = """
    import sys
    from pathlib import Path
    import click
    from rig.artifacts.recipe import Builder
    from rig.cli import main
    from rig.store import Store
    from rig.ui import Reporter
    from tests.guest.test_stopped_build import Compile
    command = click.Command("x", callback=lambda: Builder(Store(), Reporter()).get(Compile()))
    main._Lazy.get_command = lambda *_: command
    main.main(["x"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_compile(tmp_path: Path, number: signal.Signals) -> None:
    """One line and 130; nothing runs on; what was finished is used; the store has no half."""
    store = Store(tmp_path)
    with store.publishing("earlier", "k", {}) as out:
        (out / "kept").touch()
    work = store.work("compiled")
    rig = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-c", textwrap.dedent(BUILD)],
        cwd=REPO, env={**os.environ, "RIG_CACHE": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    compilers = wait_compiler(rig, work / "b.c")
    os.kill(rig.pid, number)
    _out, err = rig.communicate(timeout=30)
    wait_gone(compilers)
    assert store.find("earlier", "k") is not None
    assert not list((tmp_path / "store").glob("compiled/*"))
    assert not (work / "b.o").exists(), "half an object file would be taken for a whole one"
    if number is not signal.SIGKILL:
        assert rig.returncode == FailureClass.INTERRUPTED.exit_code, err
        assert "stopped by" in err
        assert list((tmp_path / "tmp").iterdir()) == []
    first = (work / "a.o").stat().st_mtime_ns
    built = Builder(store, Reporter()).get(Compile())
    assert (built.path / "lib.a").is_file()
    assert (work / "a.o").stat().st_mtime_ns == first, "what was finished is not built again"
    assert list((tmp_path / "tmp").iterdir()) == []


def wait_compiler(rig: subprocess.Popen[str], source: Path) -> list[int]:
    """The processes that compile `source`, once there are some."""
    deadline = time.monotonic() + 30
    while True:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    here = (entry / "cwd").readlink() == source.parent
                    line = (entry / "cmdline").read_bytes() if here else b""
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
                if b"cc1" in line and source.name.encode() in line.split(b"\0"):
                    found.append(int(entry.name))
        if found:
            return found
        assert rig.poll() is None, rig.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
