# SPDX-License-Identifier: MIT
"""The driver's line of an oops, from the report and the built module."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rig.verdict.frames import Frame, culprit, place

REPORT = """\
Internal error: synchronous external abort: 0000000096000250 [#1]  SMP
pc : __pi_memset_generic+0x16c/0x188
lr : panthor_fw_init_section_mem+0xf0/0x288 [panthor]
sp : ffff800080e636b0
Call trace:
 __pi_memset_generic+0x16c/0x188 (P)
 panthor_fw_load+0x434/0x888 [panthor]
 platform_probe+0x60/0xa0
""".splitlines()
SOURCE = """\
void clear(void);
int first(int x)
{
	return x * 2;
}
int second(int x)
{
	clear();
	return x + 1;
}
"""


def test_the_link_register_comes_before_the_call_trace() -> None:
    assert culprit(REPORT) == Frame("panthor_fw_init_section_mem", 0xF0, "panthor", True)
    assert culprit([line for line in REPORT if not line.startswith("lr")]) == Frame(
        "panthor_fw_load", 0x434, "panthor", True
    )


def test_the_program_counter_is_no_return_address() -> None:
    assert culprit(["pc : panthor_probe+0x8/0x58 [panthor]"]) == Frame(
        "panthor_probe", 8, "panthor", False
    )


def test_a_report_without_the_driver_has_no_place() -> None:
    assert culprit(["pc : memset+0x8/0x58", " x+0x1/0x2 [optee]", "text"]) is None


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("module") / "drivers"
    folder.mkdir()
    (folder / "x.c").write_text(SOURCE)
    command = ["aarch64-linux-gnu-gcc", "-g", "-O0", "-c", str(folder / "x.c"), "-o", "x.o"]
    subprocess.run(command, check=True, cwd=folder.parent)
    return folder.parent / "x.o"


def test_line_of_a_return_address_is_that_of_the_call(module: Path) -> None:
    lines = {place(Frame("second", offset, "x", True), module) for offset in range(4, 32, 4)}
    assert "second (drivers/x.c:8)" in lines


def test_a_module_that_knows_no_such_function(module: Path) -> None:
    assert place(Frame("third", 0, "x", False), module) == "third"
    assert place(Frame("third", 0, "x", False), module.with_name("absent")) == "third"
