# SPDX-License-Identifier: MIT
"""scripts/setup.sh with a Python and a pip of the test's own: never less than was there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.paths import REPO

PYTHON = """\
#!/bin/sh
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo venv >>calls;;
"-m pip install"*)
    echo pip >>calls
    [ ! -e no-network ] || { echo "ERROR: no index" >&2; exit 1; }
    [ ! -e killed ] || kill -9 $PPID
    touch .venv/bin/rig;;
*"import rig, pip"*) [ -e .venv/bin/rig ];;
*) exit 0;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh"):
        shutil.copyfile(REPO / name, folder / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHON": str(checkout.parent / "python")}
    argv = ["sh", "scripts/setup.sh"]
    return subprocess.run(argv, cwd=checkout, env=env, capture_output=True, text=True, check=False)


def calls(checkout: Path) -> list[str]:
    return (checkout / "calls").read_text().split()


def change(checkout: Path) -> None:
    with (checkout / "constraints.txt").open("a") as file:
        file.write("something==1\n")


def test_it_is_made_once_whatever_the_times_say(checkout: Path) -> None:
    assert setup(checkout).stdout == "making .venv\n"
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh"):
        (checkout / name).touch()
    done = setup(checkout)
    assert (done.returncode, done.stdout) == (0, "")
    assert calls(checkout) == ["venv", "pip"]


def test_other_contents_are_installed_into_what_is_there(checkout: Path) -> None:
    setup(checkout)
    change(checkout)
    os.utime(checkout / "constraints.txt", (0, 0))
    assert setup(checkout).stdout == "bringing .venv up to date\n"
    assert setup(checkout).stdout == ""
    assert calls(checkout) == ["venv", "pip", "pip"]


def test_without_network_what_was_there_still_works(checkout: Path) -> None:
    setup(checkout)
    change(checkout)
    (checkout / "no-network").touch()
    done = setup(checkout)
    assert done.returncode == 128
    assert "pip could not install" in done.stderr
    assert ".venv/bin/rig still works" in done.stderr
    assert (checkout / ".venv/bin/rig").exists()
    shutil.copyfile(REPO / "constraints.txt", checkout / "constraints.txt")
    assert setup(checkout).returncode == 0, "the old contents ask for the network"


def test_a_first_time_that_fails_is_tried_again(checkout: Path) -> None:
    (checkout / "no-network").touch()
    done = setup(checkout)
    assert done.returncode == 128
    assert "still works" not in done.stderr
    (checkout / "no-network").unlink()
    assert setup(checkout).returncode == 0


def test_a_kill_in_the_middle_is_not_taken_for_done(checkout: Path) -> None:
    setup(checkout)
    change(checkout)
    (checkout / "killed").touch()
    assert setup(checkout).returncode == -9
    (checkout / "killed").unlink()
    shutil.copyfile(REPO / "constraints.txt", checkout / "constraints.txt")
    assert setup(checkout).stdout == "bringing .venv up to date\n"


def test_one_that_was_moved_or_lost_its_python_is_made_anew(checkout: Path) -> None:
    setup(checkout)
    checkout = checkout.rename(checkout.with_name("moved"))
    assert setup(checkout).stdout == "making .venv\n"
    (checkout / ".venv/bin/python").unlink()
    assert setup(checkout).stdout == "making .venv\n"
