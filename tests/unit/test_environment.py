# SPDX-License-Identifier: MIT
"""Builds see what they need of the user's environment, and their keys what they are made of."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from rig import doctor
from rig.artifacts import guestprogs, recipe
from rig.artifacts.guestprogs import GuestProgramsRecipe
from rig.artifacts.recipe import Builder, Job, Recipe, libraries_digest
from rig.environment import build_environment, clean_path, require_plain
from rig.errors import FailureClass, RigError
from rig.store import Store
from rig.ui import Reporter

STEERING = (
    "LLVM", "LLVM_IAS", "CC", "HOSTCC", "LD", "ARCH", "CROSS_COMPILE", "KCFLAGS", "KCPPFLAGS",
    "CFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "GNUMAKEFLAGS",
    "KBUILD_OUTPUT", "KBUILD_BUILD_USER", "KCONFIG_ALLCONFIG", "INSTALL_MOD_PATH", "LOCALVERSION",
    "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "LD_PRELOAD", "PKG_CONFIG_PATH", "NINJA_STATUS",
    "PYTHONPATH", "V", "W", "CCACHE_COMPILER", "CCACHE_PREFIX", "TAR_OPTIONS", "LANG",
)  # fmt: skip
NEEDED = ("HOME", "TMPDIR", "https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "PIP_CERT",
          "CCACHE_DIR")  # fmt: skip


class Printing(Recipe):
    """Notes the environment that a tool of a build sees."""

    name: ClassVar[str] = "printing"
    version: ClassVar[int] = 1

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """None."""
        return {}

    def build(self, job: Job) -> None:
        """`env`, with one variable of the recipe's own."""
        job.env["ARCH"] = "arm64"
        job.run(["env"], env={"EXTRA": "1"})
        (job.out / "env").write_text(job.log.read_text())


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(Store(tmp_path / "cache"), Reporter(Console(file=io.StringIO())))


def test_a_build_does_not_hear_what_steers_compilers(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*STEERING, *NEEDED):
        monkeypatch.setenv(name, "/from-the-user")
    lines = (builder.get(Printing()).path / "env").read_text().splitlines()
    heard = {line.partition("=")[0] for line in lines if line.endswith("=/from-the-user")}
    assert heard == set(NEEDED)
    assert {"ARCH=arm64", "EXTRA=1", "LC_ALL=C.UTF-8", f"PATH={clean_path()}"} <= set(lines)


def test_tools_are_asked_for_their_version_where_builds_find_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ld").write_text("#!/bin/sh\necho another linker\n")
    (tmp_path / "ld").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{clean_path()}")
    assert "another" not in recipe.tool_version("ld", "--version")
    need = doctor.Requirement("somewhere", "test", command="only-mine")
    (tmp_path / "ld").rename(tmp_path / "only-mine")
    assert not need.met(), "doctor finds a tool that no build will find"


def test_guest_programs_follow_their_list_and_their_libc(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(GuestProgramsRecipe().inputs(builder))
    fewer = {name: files for name, files in guestprogs.PROGRAMS.items() if name != "heapctl"}
    monkeypatch.setattr(guestprogs, "PROGRAMS", fewer)
    assert dict(GuestProgramsRecipe().inputs(builder)) != before, "a program less, the same key"
    monkeypatch.undo()
    monkeypatch.setattr(guestprogs, "LIBRARIES", ("libm.a",))
    assert dict(GuestProgramsRecipe().inputs(builder)) != before, "another libc, the same key"


def test_a_library_counts_by_its_content(tmp_path: Path) -> None:
    compiler, library = tmp_path / "gcc", tmp_path / "libc.a"
    compiler.write_text(f"#!/bin/sh\necho {library}\n")
    compiler.chmod(0o755)
    absent = libraries_digest(str(compiler), ["libc.a"])
    library.write_bytes(b"2.36")
    old = libraries_digest(str(compiler), ["libc.a"])
    library.write_bytes(b"2.41")
    assert len({absent, old, libraries_digest(str(compiler), ["libc.a"])}) == 3


@pytest.mark.parametrize("name", ["with space", "with:colon", "with#hash", "with$dollar"])
def test_a_store_where_make_cannot_work_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RigError) as error:
        Store(tmp_path / name)
    assert error.value.failure is FailureClass.USAGE
    assert "RIG_CACHE" in error.value.hint
    assert not (tmp_path / name).exists(), "the refused folder was made"


def test_plain_paths_are_taken() -> None:
    for name in ("/home/jürgen/a-b_c.d/e+f", "/mnt/x@y/panthor,rig=1"):
        require_plain(Path(name), "it", "")


def test_our_own_python_may_not_lie_below_a_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/home/u/a:b/.venv/bin/python")
    with pytest.raises(RigError, match="a colon"):
        build_environment()
