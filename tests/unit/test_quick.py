# SPDX-License-Identifier: MIT
"""The short way to panthor.ko: kbuild's notes, and when they do not suffice."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from rig.artifacts.kernel import KernelBuild
from rig.artifacts.quick import last_steps, noted
from rig.artifacts.recipe import Job
from rig.errors import FailureClass, RigError
from rig.kernel.repo import PANTHOR

MODPOST = " ./scripts/mod/modpost -M     -E     -o Module.symvers -T modules.order vmlinux.o"


@pytest.fixture
def objdir(tmp_path: Path) -> Path:
    """As a whole build leaves it."""
    folder = tmp_path / PANTHOR
    folder.mkdir(parents=True)
    (folder / "modules.order").write_text(f"{PANTHOR}/panthor.o\n")
    (tmp_path / "Module.symvers").write_text("")
    note(tmp_path, "Module.symvers", MODPOST)
    note(tmp_path, f"{PANTHOR}/panthor.mod.o", "gcc -DX='$$(pound)' -o y")
    note(tmp_path, f"{PANTHOR}/panthor.ko", "ld -o z")
    return tmp_path


def note(objdir: Path, target: str, command: str) -> None:
    path = objdir / target
    path.with_name(f".{path.name}.cmd").write_text(f"savedcmd_{target} := {command}\n\ndeps := a\n")


def test_the_steps_are_those_that_kbuild_noted(objdir: Path) -> None:
    modpost, compiled, linked = last_steps(objdir)
    assert modpost == (
        " ./scripts/mod/modpost -M     -E     -o .rig-symvers -i Module.symvers "
        f"-T {PANTHOR}/modules.order"
    )
    assert compiled.endswith("|| { gcc -DX='$(pound)' -o y; }")
    assert linked == "ld -o z"


def test_a_note_is_what_the_shell_would_see(objdir: Path) -> None:
    (objdir / "a").mkdir()
    note(objdir, "a/b", "echo $(pound)1 $$HOME")
    assert noted(objdir, "a/b") == "echo #1 $HOME"
    assert noted(objdir, "a/c") == ""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (f"{PANTHOR}/modules.order", f"{PANTHOR}/panthor.o\n{PANTHOR}/second.o\n"),
        (f"{PANTHOR}/modules.order", None),
        ("Module.symvers", None),
        (".Module.symvers.cmd", "savedcmd_Module.symvers := modpost -o Module.symvers -new\n"),
        (f"{PANTHOR}/.panthor.ko.cmd", None),
        (f"{PANTHOR}/.panthor.mod.o.cmd", "other\n"),
    ],
)
def test_what_is_not_as_expected_is_kbuilds(objdir: Path, file: str, text: str | None) -> None:
    if text is None:
        (objdir / file).unlink()
    else:
        (objdir / file).write_text(text)
    assert last_steps(objdir) == []


class Tools:
    """Runs the steps, as `Job` does."""

    def run(self, argv: Sequence[str], *, cwd: Path, what: str) -> None:
        if subprocess.run(argv, cwd=cwd, check=False).returncode:
            raise RigError(FailureClass.BUILD, what)


class Built(KernelBuild):
    """kbuild as a stand-in: the module is its source, linked."""

    def __init__(self, objdir: Path) -> None:
        self.job, self.objdir = cast(Job, Tools()), objdir
        self.source_text, self.made = "one", list[str]()
        self.source = objdir / "src"
        (self.source / PANTHOR).mkdir(parents=True)
        (self.source / PANTHOR / "Makefile").write_text("panthor-y := a.o b.o\n")
        (objdir / ".rig-image").write_text("key")

    def make(self, *argv: str, **_more: Any) -> None:
        self.made += argv
        folder = self.objdir / PANTHOR
        (folder / "panthor.o").write_text(self.source_text)
        if argv == ("modules",):
            (folder / "panthor.ko").write_text(f"linked {self.source_text}")

    def module(self, source: str) -> str:
        self.source_text, self.made = source, []
        return self.panthor().read_text()


@pytest.fixture
def kernel(objdir: Path) -> Built:
    """After a whole build whose steps are shell commands."""
    folder = objdir / PANTHOR
    note(objdir, "Module.symvers", "true -o Module.symvers -T modules.order vmlinux.o")
    note(objdir, f"{PANTHOR}/panthor.mod.o", "true")
    link = f'echo -n "linked $$$$(cat {PANTHOR}/panthor.o)" > {PANTHOR}/panthor.ko'
    note(objdir, f"{PANTHOR}/panthor.ko", link.replace("$$$$", "$$"))
    (folder / "panthor.ko").write_text("")
    return Built(objdir)


def test_the_short_way_is_gone_once_it_was_proved(kernel: Built) -> None:
    assert kernel.module("one") == "linked one"
    assert kernel.made == ["modules", f"{PANTHOR}/"]
    assert kernel.module("two") == "linked two"
    assert kernel.made == [f"{PANTHOR}/"]


def test_another_image_needs_a_proof_of_its_own(kernel: Built) -> None:
    kernel.module("one")
    (kernel.objdir / ".rig-image").write_text("another")
    assert kernel.module("two") == "linked two"
    assert kernel.made[0] == "modules"


def test_a_short_way_that_gives_other_bytes_is_never_gone(kernel: Built) -> None:
    note(kernel.objdir, f"{PANTHOR}/panthor.ko", f"echo other > {PANTHOR}/panthor.ko")
    assert kernel.module("one") == "linked one"
    assert kernel.module("two") == "linked two"
    assert kernel.made == ["modules"]


def test_where_a_step_fails_kbuild_does_it_all(kernel: Built) -> None:
    kernel.module("one")
    note(kernel.objdir, "Module.symvers", "false -o Module.symvers -T modules.order vmlinux.o")
    assert kernel.module("two") == "linked two"
    assert kernel.made[0] == "modules"
    broken = kernel.objdir / PANTHOR / "modules.order"
    broken.unlink()
    assert kernel.module("three") == "linked three"
    assert kernel.made[0] == "modules"
