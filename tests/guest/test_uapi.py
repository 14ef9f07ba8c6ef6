# SPDX-License-Identifier: MIT
"""The uAPI that the guest's test clients were written for, against the trees'; and altered ones."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from rig.artifacts import uapi
from rig.kernel.patches import Patch
from rig.options import SERIES, Options
from rig.testbed import TestBed
from rig.ui import Reporter

INFO = "DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO"
FLAG = "DRM_PANTHOR_GROUP_CREATE_PROTECTED"
GROUPS = {INFO, FLAG, "DRM_PANTHOR_PROTECTED_FEATURE_BASIC"}
ADDED = {
    "base": set(),
    "heap-name": GROUPS,
    "heap-phandle": GROUPS,
    "protm-init": uapi.OF_SERIES - GROUPS,
}
"""What a series must have of what only series have."""


def bed(name: str) -> TestBed:
    return TestBed(Options(series=() if name == "base" else (SERIES / name,)), Reporter())


@pytest.mark.parametrize("name", ADDED)
def test_our_trees_have_what_the_clients_use(name: str, tmp_path: Path) -> None:
    one = bed(name)
    header = uapi.extracted(one.repo, one.tree, tmp_path)
    assert uapi.compared(uapi.OURS, header, tmp_path) == []
    known = uapi.measured(header, uapi.facts(uapi.OURS.read_text()), tmp_path)
    assert uapi.OF_SERIES & known.keys() == ADDED[name]


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the uAPI headers of Linux 7.3 with heap-name."""
    one, folder = bed("heap-name"), tmp_path_factory.mktemp("uapi")
    uapi.extracted(one.repo, one.tree, folder)
    return folder


def altered(headers: Path, old: str, new: str) -> list[str]:
    """The differences once `old`, which is there once, is `new`."""
    header = headers / uapi.THEIRS
    text = header.read_text()
    assert text.count(old) == 1, old
    other = header.with_name("altered.h")
    other.write_text(text.replace(old, new))
    return uapi.compared(uapi.OURS, other, headers)


FLUSH = "struct drm_panthor_queue_submit.latest_flush"
GROWS = "\t__u64 first_heap_chunk_gpu_va;\n};"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\t__u64 bo_offset;", "\t__u32 bo_offset;",
         "struct drm_panthor_vm_bind_op.bo_offset is 4 bytes at 8, not 8 bytes at 8"),
        ("\t__u32 latest_flush;", "\t__u32 flush;", f"no {FLUSH}"),
        (f"\t{INFO},", f"\tDRM_PANTHOR_DEV_QUERY_MORE,\n\t{INFO},", f"{INFO} is 0x6, not 0x5"),
        (f"\t{FLAG} = 1 << 0", f"\t{FLAG} = 1 << 1", f"{FLAG} is 0x2, not 0x1"),
        ("\tDRM_PANTHOR_TILER_HEAP_CREATE,", "\tDRM_PANTHOR_X,\n\tDRM_PANTHOR_TILER_HEAP_CREATE,",
         "DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE is 0xc000644c, not 0xc000644b"),
        (GROWS, f"#error planted\n{GROWS}", "altered.h does not compile: error: #error planted"),
    ],
    ids=["field", "name", "query", "flag", "ioctl", "error"],
)  # fmt: skip
def test_a_difference_is_named(headers: Path, old: str, new: str, told: str) -> None:
    assert altered(headers, old, new)[0] == told


def test_a_struct_that_grew_is_no_difference(headers: Path) -> None:
    assert altered(headers, GROWS, GROWS.replace("};", "\t__u64 more;\n};")) == []


def test_the_user_is_told_in_one_line() -> None:
    one = bed("base")
    header = (one.repo.read(one.tree, uapi.THEIRS) or b"").decode()
    other = header.replace("latest_flush;", "flush;")
    diff = "".join(difflib.unified_diff(
        header.splitlines(keepends=True), other.splitlines(keepends=True),
        f"a/{uapi.THEIRS}", f"b/{uapi.THEIRS}",
    ))  # fmt: skip
    (tree,) = one.repo.apply(one.tree, [Patch("altered", f"\n{diff}".encode(), "x")], "altered")
    assert uapi.warning(one.repo, one.tree) == ""
    for _ in "found", "known":
        told = uapi.warning(one.repo, tree)
        assert told.startswith(f"the tree's {uapi.THEIRS} differs from what our test programs")
        assert f": no {FLUSH}. " in told
        assert "\n" not in told
