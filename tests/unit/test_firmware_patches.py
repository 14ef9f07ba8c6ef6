# SPDX-License-Identifier: MIT
"""Our firmware patches stay small and on the platform; the patched copy follows its inputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.artifacts.patches import digest, patched_copy, synced_copy, touched
from rig.errors import FailureClass, RigError
from rig.paths import REPO

PATCHES = sorted((REPO / "firmware" / "patches").glob("*/*.patch"))
MUTANTS = sorted((REPO / "firmware" / "mutants").glob("*.patch"))
PLACES = {
    "tfa": ("plat/qemu/",),
    # scrubbing has no hook of the platform's outside of masked interrupts
    "optee": ("core/arch/arm/plat-vexpress/", "core/mm/mobj_dyn_shm.c"),
}
MAX_ADDED = 150


@pytest.mark.parametrize("patch", PATCHES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_patch_is_ours_small_and_only_where_it_may_be(patch: Path) -> None:
    text = patch.read_text()
    message = text[: text.index("\n--- a/")]
    assert re.match(r"SPDX-License-Identifier: BSD-[23]-Clause\nSubject: ", message)
    assert len(message.split()) > 30, "the message says why"
    assert touched(patch)
    for name in touched(patch):
        assert name.startswith(PLACES[patch.parent.name])
    assert len(re.findall(r"^\+(?!\+\+ )", text, re.MULTILINE)) <= MAX_ADDED


def test_every_patch_is_of_a_project_that_we_build() -> None:
    assert {p.parent.name for p in PATCHES} == set(PLACES)
    everything = [p for p in (REPO / "firmware" / "patches").rglob("*") if p.is_file()]
    assert sorted(everything) == PATCHES


@pytest.mark.parametrize("patch", MUTANTS, ids=lambda p: p.stem)
def test_mutant_changes_one_place_that_we_patch(patch: Path) -> None:
    ours = {name for one in PATCHES if one.parent.name == "optee" for name in touched(one)}
    assert set(touched(patch)) <= ours
    assert patch.read_text().count("\n@@ ") == 1


def make_patch(path: Path, file: str, old: str, new: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"why\n\n--- a/{file}\n+++ b/{file}\n@@ -1,3 +1,3 @@\n a\n-{old}\n+{new}\n c\n")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "plat").mkdir(parents=True)
    (root / "plat" / "x.c").write_text("a\nb\nc\n")
    (root / "core.c").write_text("core\n")
    return root


def test_copy_is_patched_and_written_once(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "work" / "source"
    copy.parent.mkdir()
    first = make_patch(tmp_path / "p" / "1.patch", "plat/x.c", "b", "B")
    second = make_patch(tmp_path / "p" / "2.patch", "plat/x.c", "B", "BB")
    assert patched_copy(tree, "v1", copy, [first, second]) == [copy / "plat" / "x.c"]
    assert (copy / "plat" / "x.c").read_text() == "a\nBB\nc\n"
    assert (copy / "core.c").read_text() == "core\n"
    assert (tree / "plat" / "x.c").read_text() == "a\nb\nc\n"
    assert patched_copy(tree, "v1", copy, [first, second]) == []


def test_copy_goes_back_when_a_patch_goes(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "source"
    patched_copy(tree, "v1", copy, [make_patch(tmp_path / "p" / "1.patch", "plat/x.c", "b", "B")])
    patched_copy(tree, "v1", copy, [])
    assert (copy / "plat" / "x.c").read_text() == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("file", "old", "reason"),
    [
        ("plat/x.c", "z", r"Hunk #1 FAILED"),
        ("plat/absent.c", "b", "the tree has no such file"),
    ],
)
def test_patch_that_does_not_apply_is_named(
    tree: Path, tmp_path: Path, file: str, old: str, reason: str
) -> None:
    patch = make_patch(tmp_path / "tfa" / "1.patch", file, old, "n")
    with pytest.raises(RigError, match=rf"tfa/1\.patch does not apply to {file}: {reason}") as info:
        patched_copy(tree, "v1", tmp_path / "source", [patch])
    assert info.value.failure is FailureClass.INFRA


def test_patch_already_in_the_users_tree_is_named(tree: Path, tmp_path: Path) -> None:
    patch = make_patch(tmp_path / "tfa" / "1.patch", "plat/x.c", "b", "B")
    (tree / "plat" / "x.c").write_text("a\nB\nc\n")
    with pytest.raises(RigError, match=r"does not apply to plat/x\.c"):
        patched_copy(tree, "v1", tmp_path / "source", [patch])


def test_digest_follows_name_and_content(tmp_path: Path) -> None:
    one = make_patch(tmp_path / "p" / "1.patch", "x.c", "b", "B")
    before = digest([one])
    make_patch(one, "x.c", "b", "C")
    assert digest([one]) != before


def test_synced_copy_compares_contents_not_times(tmp_path: Path) -> None:
    ours, copy = tmp_path / "ours", tmp_path / "work" / "copy"
    ours.mkdir()
    (ours / "a.c").write_text("1")
    (ours / "b.c").write_text("b")
    synced_copy(ours, copy)
    stamp = (copy / "b.c").stat().st_mtime_ns
    (copy / "a.c").write_text("later, by another checkout")
    (copy / "gone.c").write_text("x")
    synced_copy(ours, copy)
    assert (copy / "a.c").read_text() == "1"
    assert not (copy / "gone.c").exists()
    assert (copy / "b.c").stat().st_mtime_ns == stamp
