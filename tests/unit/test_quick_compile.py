# SPDX-License-Identifier: MIT
"""Which objects of panthor an edit makes old, and how they are compiled without kbuild."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.artifacts.quick import compiled, linked, stale, tidy
from rig.errors import FailureClass, RigError
from rig.kernel.repo import PANTHOR

FIXDEP = """\
#!/bin/sh
printf 'savedcmd_%s := %s\\n\\n' "$2" "$3"
cat "$1"
"""
"""As scripts/basic/fixdep: the command as kbuild escapes it, then what was read."""


@pytest.fixture
def objdir(tmp_path: Path) -> Path:
    """Two objects: each is its source and a header, by commands that kbuild noted."""
    folder, source, tools = tmp_path / PANTHOR, tmp_path / "src", tmp_path / "scripts" / "basic"
    for path in (folder, source, tools):
        path.mkdir(parents=True)
    (tools / "fixdep").write_text(FIXDEP)
    (tools / "fixdep").chmod(0o755)
    (folder / ".panthor.o.cmd").write_text("savedcmd_x := true\n")
    (folder / "panthor.mod").write_text(f"{PANTHOR}/a.o\n{PANTHOR}/b.o\n")
    for name in ("a.c", "b.c", "both.h", "option"):
        written(source / name, "good\n", 1)
    for name in "ab":
        depends = (
            f"source_x := src/{name}.c\n\ndeps_x := \\\n    $(wildcard src/option) \\\n"
            "    $(wildcard src/absent) \\\n  src/both.h \\\n"
        )
        (tmp_path / f"{name}.depends").write_text(depends)
        command = (
            f"cp {name}.depends {PANTHOR}/.{name}.o.d; grep -q good src/{name}.c && "
            f"cat src/{name}.c src/both.h > {PANTHOR}/{name}.o && : $(pound) $$HOME"
        )
        text = f"savedcmd_{PANTHOR}/{name}.o := {command}\n\n{depends}"
        (folder / f".{name}.o.cmd").write_text(text)
        written(folder / f"{name}.o", "old", 2)
    return tmp_path


def written(path: Path, text: str, when: int) -> None:
    path.write_text(text)
    os.utime(path, (when, when))


def runner(objdir: Path) -> Callable[[list[str]], None]:
    def run(argv: list[str]) -> None:
        if subprocess.run(argv, cwd=objdir, check=False).returncode:
            raise RigError(FailureClass.BUILD, "failed")

    return run


@pytest.mark.parametrize(
    ("newer", "wanted"),
    [("", []), ("a.c", ["a"]), ("both.h", ["a", "b"]), ("option", ["a", "b"]), ("other", [])],
)
def test_what_is_older_than_its_sources_is_stale(
    objdir: Path, newer: str, wanted: list[str]
) -> None:
    if newer:
        written(objdir / "src" / newer, "good\n", 3)
    assert stale(objdir) == [f"{PANTHOR}/{name}.o" for name in wanted]


@pytest.mark.parametrize(
    "gone", ["src/both.h", "src/a.c", *(f"{PANTHOR}/{n}" for n in (".a.o.cmd", "panthor.mod"))]
)
def test_where_something_is_gone_kbuild_compiles(objdir: Path, gone: str) -> None:
    (objdir / gone).unlink()
    assert stale(objdir) is None
    assert not compiled(objdir, runner(objdir))


def test_without_the_command_that_joins_them_kbuild_compiles(objdir: Path) -> None:
    (objdir / PANTHOR / ".panthor.o.cmd").write_text("")
    assert stale(objdir) is None


def test_only_what_is_stale_is_compiled(objdir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = objdir / PANTHOR
    before = (folder / ".a.o.cmd").read_text()
    written(objdir / "src" / "a.c", "good: new\n", 3)
    assert compiled(objdir, runner(objdir))
    assert (folder / "a.o").read_text() == "good: new\ngood\n"
    assert (folder / "b.o").read_text() == "old"
    assert (folder / ".a.o.cmd").read_text() == before, "kbuild finds the note that it writes"
    assert capfd.readouterr().out == f"  CC [M]  {PANTHOR}/a.o\n"
    assert stale(objdir) == []
    (folder / "a.o").unlink()
    assert stale(objdir) == [f"{PANTHOR}/a.o"]


def test_what_does_not_compile_leaves_no_object(objdir: Path) -> None:
    """But its note, so that the correction goes the short way again."""
    folder = objdir / PANTHOR
    before = (folder / ".a.o.cmd").read_text()
    written(objdir / "src" / "a.c", "bad\n", 3)
    written(objdir / "src" / "b.c", "good: too\n", 3)
    assert not compiled(objdir, runner(objdir))
    assert not (folder / "a.o").exists()
    assert (folder / "b.o").read_text() == "good: too\ngood\n"
    assert (folder / ".a.o.cmd").read_text() == before
    assert stale(objdir) == [f"{PANTHOR}/a.o"]


def test_while_it_is_compiled_an_object_has_no_note(objdir: Path) -> None:
    """Half an object is newer than its source: after a kill, kbuild must not believe it."""
    seen = objdir / PANTHOR / ".a.o.cmd"
    written(objdir / "src" / "a.c", "good: new\n", 3)
    (objdir / "a.depends").unlink()
    (objdir / "scripts" / "basic" / "fixdep").write_text(f"#!/bin/sh\ntest ! -e {seen}\n")
    assert compiled(objdir, runner(objdir)), "there was a note beside the object"


def test_a_link_that_was_killed_is_forgotten(objdir: Path) -> None:
    folder = objdir / PANTHOR
    with pytest.raises(RigError):
        linked(objdir, [f"echo half > {PANTHOR}/panthor.ko", "false", "true"], runner(objdir))
    assert (folder / "panthor.ko").exists()
    tidy(objdir)
    assert not (folder / "panthor.ko").exists()
    linked(objdir, [f"echo whole > {PANTHOR}/panthor.ko"], runner(objdir))
    tidy(objdir)
    assert (folder / "panthor.ko").exists()
