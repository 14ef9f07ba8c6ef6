# SPDX-License-Identifier: MIT
"""The overlay on miniature QEMU trees: the edits, their idempotence, mtimes, mirroring."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rig.artifacts import overlay
from rig.errors import RigError

OLD = 1_000_000_000  # mtime, s: long before any object


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder like `qemu_models`."""
    files = {
        "glue/hw/mali/mali_csf.c": "glue\n",
        "glue/configs/devices/aarch64-softmmu/mali.mak": "CONFIG_MALI_CSF=y\n",
        "core/mali.h": "interface\n",
        "core/b.c": "b\n",
        "core/a.c": "a\n",
        "core/tests/t.c": "not for QEMU\n",
    }
    return make(tmp_path / "models", files)


@pytest.fixture
def qemu(tmp_path: Path) -> Path:
    """What the edits look at in a tree of 10.0."""
    files = {
        "hw/Kconfig": "source i3c/Kconfig\nsource isa/Kconfig\nsource mem/Kconfig\n",
        "hw/meson.build": "subdir('i3c')\nsubdir('isa')\nsubdir('mem')\n",
        "pc-bios/meson.build": "x\nif unpack_edk2_blobs\n  y\nendif\n",
        "hw/cxl/cxl-host-stubs.c": "stubs\n",
        "include/hw/cxl/cxl_host.h": "nothing\n",
    }
    return make(tmp_path / "qemu", files)


def make(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (OLD, OLD))
    return root


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    return {
        str(p.relative_to(root)): (p.read_text(), p.stat().st_mtime_ns)
        for p in root.rglob("*")
        if p.is_file()
    }


def test_edits_and_new_files(qemu: Path, models: Path) -> None:
    overlay.apply(qemu, models)
    assert (qemu / "hw/Kconfig").read_text().splitlines()[1:3] == [
        "source isa/Kconfig",
        "source mali/Kconfig",
    ]
    assert "subdir('isa')\nsubdir('mali')\nsubdir('mem')\n" in (qemu / "hw/meson.build").read_text()
    assert "\nif unpack_edk2_blobs and false\n" in (qemu / "pc-bios/meson.build").read_text()
    assert (qemu / "hw/cxl/cxl-host-stubs.c").read_text() == "stubs\n", "10.0 needs no stub"
    assert (qemu / "hw/mali/mali_csf.c").read_text() == "glue\n"
    assert {p.name for p in (qemu / "hw/mali/core").iterdir()} == {
        "a.c", "b.c", "mali.h", "meson.build",
    }  # fmt: skip
    assert "'a.c',\n  'b.c',\n" in (qemu / "hw/mali/core/meson.build").read_text()


def test_stub_of_10_2(qemu: Path, models: Path) -> None:
    header = qemu / "include/hw/cxl/cxl_host.h"
    header.write_text("GSList *cxl_fmws_get_all_sorted(void);\n")
    for _ in range(2):
        overlay.apply(qemu, models)
    assert (qemu / "hw/cxl/cxl-host-stubs.c").read_text().count("cxl_fmws_get_all_sorted") == 1


def test_second_application_touches_nothing(qemu: Path, models: Path) -> None:
    assert overlay.apply(qemu, models)
    before = snapshot(qemu)
    assert overlay.apply(qemu, models) == []
    assert snapshot(qemu) == before


def test_changed_file_is_copied_with_a_fresh_mtime(qemu: Path, models: Path) -> None:
    """A preserved mtime older than the object would make ninja skip the file."""
    overlay.apply(qemu, models)
    target = qemu / "hw/mali/core/a.c"
    os.utime(target, (OLD, OLD))
    make(models, {"core/a.c": "changed\n"})
    assert overlay.apply(qemu, models) == [target]
    assert target.stat().st_mtime > OLD


def test_file_that_the_core_lost_goes(qemu: Path, models: Path) -> None:
    overlay.apply(qemu, models)
    (models / "core/b.c").unlink()
    overlay.apply(qemu, models)
    assert not (qemu / "hw/mali/core/b.c").exists()
    assert "b.c" not in (qemu / "hw/mali/core/meson.build").read_text()


def test_already_cured_tree(qemu: Path, models: Path) -> None:
    """Debian's own patch makes the same change."""
    path = qemu / "pc-bios/meson.build"
    path.write_text("x\nif unpack_edk2_blobs and false\n  y\nendif\n")
    overlay.apply(qemu, models)
    assert path.read_text().count("and false") == 1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("hw/meson.build", "subdir('elsewhere')\n", "no line `subdir('isa')`"),
        ("hw/Kconfig", None, "is missing"),
    ],
)
def test_unknown_tree_is_refused(
    qemu: Path, models: Path, name: str, content: str | None, complaint: str
) -> None:
    if content is None:
        (qemu / name).unlink()
    else:
        (qemu / name).write_text(content)
    with pytest.raises(RigError) as caught:
        overlay.apply(qemu, models)
    assert complaint in caught.value.message
    assert caught.value.hint


def test_digest_follows_content_not_tests(models: Path) -> None:
    first = overlay.digest(models)
    make(models, {"core/tests/t.c": "changed\n"})
    assert overlay.digest(models) == first
    make(models, {"core/mali.h": "changed\n"})
    assert overlay.digest(models) != first


def test_mirror_copies_what_changed(qemu: Path, models: Path, tmp_path: Path) -> None:
    (qemu / "configure").write_text("#!/bin/sh\n")
    (qemu / "configure").chmod(0o555)
    (qemu / "link").symlink_to("configure")
    copy = tmp_path / "work" / "source"
    overlay.mirror(qemu, copy, "1")
    overlay.apply(copy, models)
    assert os.access(copy / "configure", os.X_OK)
    assert (copy / "link").readlink() == Path("configure")
    before = snapshot(copy)
    make(qemu, {"hw/new.c": "new\n"})
    overlay.mirror(qemu, copy, "1")
    assert snapshot(copy) == before, "the same digest: nothing is looked at"
    (qemu / "link").unlink()
    overlay.mirror(qemu, copy, "2")
    assert snapshot(copy).keys() - before.keys() == {"hw/new.c"}
    assert before.keys() - snapshot(copy).keys() == {"link"}
    assert "source mali/Kconfig" in (copy / "hw/Kconfig").read_text(), "our edits stay"


def test_interrupted_mirror_starts_over(qemu: Path, tmp_path: Path) -> None:
    copy = tmp_path / "source"
    make(copy, {"half/written.c": "junk\n"})
    overlay.mirror(qemu, copy, "1")
    assert snapshot(copy).keys() == snapshot(qemu).keys()
