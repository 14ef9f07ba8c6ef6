# SPDX-License-Identifier: MIT
"""Broken firmware images: the same for a seed, some good enough to load, none that eats the RAM."""

from __future__ import annotations

from rig.artifacts.csffw import default_image, parse
from rig.artifacts.csffw_default import PROT_SECTION, plain_sections
from rig.artifacts.csffw_fuzz import MOST_MEMORY, images, memory
from rig.errors import RigError

COUNT = 60


def refused(raw: bytes) -> str:
    try:
        parse(raw)
    except RigError as error:
        return error.message
    return ""


def test_a_seed_makes_the_same_images_again_and_another_others() -> None:
    once, again, other = (list(images(seed, COUNT)) for seed in (7, 7, 8))
    assert once == again
    assert not set(once) & set(other)


def test_most_are_refused_for_many_reasons_and_some_are_loaded() -> None:
    reasons = [refused(raw) for raw in images(1, 4 * COUNT)]
    assert 2 * COUNT > reasons.count("") > COUNT // 6
    for part in ("data ends at", "ends before it starts", "not page aligned", "unsupported flags",
                 "truncated", "padding", "no shared section", "32-bit aligned"):  # fmt: skip
        assert any(part in reason for reason in reasons), part


def test_none_needs_more_memory_than_a_guest_has() -> None:
    assert all(memory(raw) <= MOST_MEMORY for raw in images(2, COUNT))
    assert memory(default_image()) == sum(s.size for s in (*plain_sections(), PROT_SECTION))
