# SPDX-License-Identifier: MIT
"""The kernel with Rust: its toolchain's wrappers, its options, and what the query must say."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.artifacts.kernel import TYR
from rig.artifacts.rust import LIBCLANG, LIBRARIES, environment, wrapper
from rig.errors import FailureClass, RigError
from rig.gpu.rows import gpu_row
from rig.options import Options
from rig.scenarios import tyr
from rig.tested import arguments_of


def test_a_wrapper_works_wherever_its_folder_is(tmp_path: Path) -> None:
    """The loader is asked for the program, with the libraries beside it; also by a symlink."""
    for folder in ("bin", LIBRARIES):
        (tmp_path / folder).mkdir(parents=True)
    program = tmp_path / "bin" / "rustc"
    program.write_text(wrapper("rustc"))
    loader = tmp_path / LIBRARIES / "ld-linux-x86-64.so.2"
    loader.write_text('#!/bin/sh\nprintf "%s\\n" "$LIBCLANG_PATH" "$@"\n')
    for file in (program, loader):
        file.chmod(0o755)
    link = tmp_path / "elsewhere"
    link.symlink_to(program)
    done = subprocess.run([link, "-v"], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[0] == str(tmp_path / LIBCLANG)
    assert said[-2:] == [str(tmp_path / "usr/bin/rustc"), "-v"]
    assert f"{tmp_path / LIBRARIES}:{tmp_path / LIBCLANG}" in said


def test_kbuild_finds_the_toolchain_first(tmp_path: Path) -> None:
    found = environment(tmp_path)
    assert found["PATH"].startswith(f"{tmp_path}/bin:")
    assert found["RUST_LIB_SRC"] == f"{tmp_path}/library"


def test_its_kernel_demands_the_driver() -> None:
    required = TYR.load().required
    assert (required["CONFIG_RUST"], required["CONFIG_DRM_TYR"]) == ("y", "m")


def test_its_options() -> None:
    assert Options(tyr=True).patch_paths() == (), "the series are panthor's"
    assert arguments_of(Options(tyr=True)) == ["--tyr"]
    with pytest.raises(RigError) as caught:
        Options(tyr=True, debug=True).check()
    assert caught.value.failure is FailureClass.USAGE


def asked(output: str) -> Any:
    bed = SimpleNamespace(gpu=gpu_row("g610"))
    answer = SimpleNamespace(output=output)
    return SimpleNamespace(session=SimpleNamespace(bed=bed), run=lambda *_argv: answer)


def test_the_query_must_tell_the_row() -> None:
    row = gpu_row("g610")
    right = f"gpu_id={row.gpu_id:#x} shader_present={row.shader_present:#x}\nRESULT ok"
    tyr.query(asked(right))
    for wrong in ("RESULT ok", right.replace("shader_present=0x", "shader_present=0x1")):
        with pytest.raises(RigError, match="tyr says"):
            tyr.query(asked(wrong))
