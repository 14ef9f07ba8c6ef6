# SPDX-License-Identifier: MIT
"""What the device under test is given is refused before anything is built or booted."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.artifacts.csffw import default_image
from rig.errors import FailureClass, RigError
from rig.gpu.rows import fault_names, gpu_names, require_faults
from rig.options import Options
from rig.teeth import load


def refused(options: Options) -> RigError:
    with pytest.raises(RigError) as caught:
        options.check()
    assert caught.value.failure is FailureClass.USAGE
    assert caught.value.hint
    return caught.value


def test_the_tables_are_found() -> None:
    assert "g610" in gpu_names()
    assert {"boot-fail", "halt-never", "flush-never"} <= set(fault_names())


def test_every_mutant_of_the_device_is_a_row() -> None:
    for mutant in load():
        require_faults(mutant.faults)


def test_an_unknown_fault_lists_the_rows() -> None:
    error = refused(Options(faults=(("nonsense", 1),)))
    assert "no fault 'nonsense'" in error.message
    assert "halt-never" in error.hint


def test_a_fault_argument_that_does_not_fit() -> None:
    assert "32-bit" in refused(Options(faults=(("boot-fail", 1 << 32),))).message


@pytest.mark.parametrize("kind", ["magic", "short", "empty", "folder", "gone"])
def test_a_broken_mcu_firmware(tmp_path: Path, kind: str) -> None:
    image = default_image()
    file = tmp_path / "mali_csffw.bin"
    match kind:
        case "magic":
            file.write_bytes(b"\x7fELF" + image[4:])
        case "short":
            file.write_bytes(image[:64])
        case "empty":
            file.touch()
        case "folder":
            file.mkdir()
    assert str(file) in refused(Options(mcu_fw=file)).message


def test_a_good_mcu_firmware(tmp_path: Path) -> None:
    file = tmp_path / "mali_csffw.bin"
    file.write_bytes(default_image())
    Options(mcu_fw=file).check()
