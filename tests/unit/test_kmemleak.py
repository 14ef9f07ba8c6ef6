# SPDX-License-Identifier: MIT
"""What kmemleak lists becomes titles that name who leaked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.errors import FailureClass, RigError
from rig.guest.shell import ShellResult
from rig.options import Options
from rig.verdict.kmemleak import parse
from rig.verdict.oracles import no_leaks

TWO = """\
unreferenced object 0xffff0000045e2c00 (size 192):
  comm "modprobe", pid 97, jiffies 4294893120
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace (crc b1a3e4f8):
    kmemleak_alloc+0x3c/0x50
    __kmalloc_cache_noprof+0x2a4/0x330
    panthor_fw_load_section_entry+0x1e0/0x5a8 [panthor]
    panthor_fw_init+0x3f0/0x8a0 [panthor]
unreferenced object (percpu) 0x7fc0 (size 8):
  comm "kworker/0:1 (odd)", pid 11, jiffies 4294892300
  backtrace (crc 0):
    [<00000000a0b1c2d3>] pcpu_alloc_noprof+0x4c0/0x8c0
    [<00000000a0b1c2d3>] setup+0x10/0x20
"""


def test_each_object_names_its_owner() -> None:
    ours, other = parse(TWO)
    assert ours.title == (
        "192 bytes allocated by panthor:panthor_fw_load_section_entry (modprobe) are lost"
    )
    assert (other.size, other.comm, other.who) == (8, "kworker/0:1 (odd)", "pcpu_alloc_noprof")


def test_an_empty_list_is_no_leak_and_a_torn_one_still_is() -> None:
    assert parse("") == []
    (torn,) = parse('unreferenced object 0xffff00 (size 16):\n  comm "x"')
    assert torn.title == "16 bytes allocated by an unknown function (?) are lost"


class Shell:
    """A guest that answers everything alike."""

    def __init__(self, status: int, output: str) -> None:
        self.answer = ShellResult(status, output)
        self.asked: list[str] = []

    def run(self, argv: Any, *, timeout: float, check: bool = False) -> ShellResult:
        assert not check
        self.asked.append(" ".join(argv))
        return self.answer


def look(folder: Path, shell: Shell, *, debug: bool = True) -> None:
    bed = SimpleNamespace(options=Options(debug=debug))
    no_leaks(SimpleNamespace(bed=bed, run_dir=folder), shell)  # type: ignore[arg-type]


def test_a_leak_fails_the_scenario_and_the_list_is_kept(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"kmemleak: 192 bytes .* are lost \(and 1 more\)") as failed:
        look(tmp_path, Shell(0, TWO))
    assert failed.value.failure is FailureClass.ASSERT
    assert (tmp_path / "kmemleak.log").read_text() == TWO


def test_a_kmemleak_that_does_not_look_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(RigError) as failed:
        look(tmp_path, Shell(1, "sh: write error: Operation not permitted"))
    assert failed.value.failure is FailureClass.INFRA


def test_only_the_debug_kernel_is_asked_and_it_is_asked_twice(tmp_path: Path) -> None:
    shell = Shell(0, "")
    look(tmp_path, shell, debug=False)
    assert not shell.asked
    look(tmp_path, shell)
    assert shell.asked[0].count("echo scan") == 2
