# SPDX-License-Identifier: MIT
"""The user's tree, dirty and built in place: judged as it is, and left byte-identical."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.artifacts.sources import Sources
from rig.kernel.repo import PANTHOR
from rig.options import DEFAULT_SERIES
from rig.store import Store
from rig.testbed import LINUX
from rig.ui import Reporter
from tests.guest.conftest import Rig

BUILT = {
    ".config": "CONFIG_ARM64=y\n",
    "include/config/auto.conf": "CONFIG_ARM64=y\n",
    "include/generated/autoconf.h": "#error the user's build is not ours\n",
    "include/generated/uapi/linux/version.h": "#error the user's build is not ours\n",
    "arch/arm64/include/generated/asm/kvm_para.h": "#error the user's build is not ours\n",
    f"{PANTHOR}/panthor_drv.o": "not an object\n",
    f"{PANTHOR}/.panthor_drv.o.cmd": "savedcmd := false\n",
    f"{PANTHOR}/built-in.a": "!<thin>\n",
    "scripts/basic/fixdep": "not a program\n",
    "scripts/basic/.fixdep.cmd": "savedcmd := false\n",
    "vmlinux": "not a kernel\n",
    "Module.symvers": "",
}
DIRTY = "\nint rig_user_edit_not_committed;\n"


@pytest.fixture(scope="module")
def pristine() -> Path:
    """Linux 7.3 as it was fetched."""
    return Sources(Store(), Reporter()).tree(LINUX).path


@pytest.fixture(scope="module")
def mine(pristine: Path) -> Iterator[Path]:
    """A copy that shares its files: what differs is written anew, never in place."""
    copy = pristine.parent / "tests-user-tree"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-al", str(pristine), str(copy)], check=True)
    for name, text in BUILT.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
    driver = copy / PANTHOR / "panthor_devfreq.c"  # not in the context of any patch of ours
    text = driver.read_text() + DIRTY
    driver.unlink()  # the link, not the file it shares
    driver.write_text(text)
    yield copy
    shutil.rmtree(copy)


def state(tree: Path) -> str:
    """Digest over names, modes, time stamps and contents of a whole tree."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in [".", *sorted(files)]:
            path = Path(folder, name)
            stat = path.lstat()
            digest.update(f"{path}\0{stat.st_mode}\0{stat.st_mtime_ns}\0{stat.st_size}".encode())
            if name != "." and not path.is_symlink():
                digest.update(path.read_bytes())
    return digest.hexdigest()


def test_a_dirty_tree_built_in_place(rig: Rig, mine: Path) -> None:
    before = state(mine)
    ran = rig("--kernel", str(mine), "--series", str(DEFAULT_SERIES), "probe-defer/heap-late")
    assert ran.code == 0, ran.output
    assert ran.verdicts["probe-defer/heap-late"]["outcome"] == "PASS"
    assert "built image" not in ran.output  # what differs lies in panthor's folder
    assert state(mine) == before


def test_an_unpatched_tree_is_not_applicable(rig: Rig, pristine: Path) -> None:
    ran = rig("--kernel", str(pristine), "probe-defer")
    assert ran.code == 125
    assert "has no parameter protected_heap_name" in ran.output


def test_an_unpatched_tree_fails_a_pinned_contract(rig: Rig, pristine: Path) -> None:
    ran = rig("--kernel", str(pristine), "--contract", "heap-name", "probe-defer")
    assert ran.code == 1
    assert "has no parameter protected_heap_name" in ran.output
