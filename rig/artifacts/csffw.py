# SPDX-License-Identifier: MIT
"""The MCU firmware image as an artifact, and the names that scenarios need.

`csffw_format` writes and reads the file format, `csffw_default` says what our
firmware consists of, `csffw_variants` what can be wrong with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rig.artifacts.csffw_default import Firmware, default_image, image_of
from rig.artifacts.csffw_format import Entry, Flag, Image, Section, parse
from rig.artifacts.csffw_variants import VARIANTS, Variant, variant
from rig.artifacts.recipe import Builder, Job, Recipe
from rig.errors import RigError, usage

__all__ = (
    "FILE",
    "VARIANTS",
    "CsffwRecipe",
    "Entry",
    "Firmware",
    "Flag",
    "Image",
    "Section",
    "Variant",
    "default_image",
    "image_of",
    "parse",
    "variant",
)

FILE = Path("mali_csffw.bin")


class CsffwRecipe(Recipe):
    """`mali_csffw.bin`: generated for `arch`, a variant by name, or the user's own file.

    A variant is an image for architecture 10. The user's file is taken as it is
    after `parse` accepted it.
    """

    name: ClassVar[str] = "csffw"
    version: ClassVar[int] = 1

    def __init__(
        self,
        arch: str = "10.8",
        *,
        variant: str = "",
        firmware: Firmware | None = None,
        override: Path | None = None,
    ) -> None:
        self.arch = arch
        self.variant = variant
        self.firmware = firmware or Firmware()
        self.override = override

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The content itself: it takes milliseconds to make, and cannot be described better."""
        return {"content": hashlib.sha256(self.content()).hexdigest()}

    def build(self, job: Job) -> None:
        """Write the file."""
        (job.out / FILE).write_bytes(self.content())

    def content(self) -> bytes:
        """The file's bytes. Raises `RigError` (USAGE): unknown name, unreadable or invalid file."""
        if self.override is not None:
            return _users_file(self.override)
        if self.variant:
            return variant(self.variant).build()
        return default_image(self.arch, self.firmware)


def _users_file(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise usage(f"cannot read {path}: {exc.strerror}", "give a mali_csffw.bin file") from exc
    try:
        parse(raw)
    except RigError as exc:
        raise usage(f"{path}: {exc.message}", exc.hint) from exc
    return raw
