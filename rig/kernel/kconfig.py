# SPDX-License-Identifier: MIT
"""Configuration fragments, and the check that every option they demand survived.

Kconfig drops options silently when a dependency is missing. What the rig needs
is an error that names the option; what it would only like is noted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.errors import FailureClass, RigError
from rig.paths import REPO

FRAGMENTS = REPO / "kernel_config" / "fragments"
_OPTION = re.compile(r"^(CONFIG_\w+)=(.*)$")
_LIKED = re.compile(r"^# ---- liked\b")
_NOT_SET = re.compile(r"^# (CONFIG_\w+) is not set$")


@dataclass(frozen=True)
class Fragments:
    """Merged fragments: their text, and which value each option must or should have."""

    text: str
    required: dict[str, str]
    liked: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Fragments:
        """Read fragments in order. Options below a line ``# ---- liked`` are not required."""
        texts = [path.read_text() for path in paths]
        required: dict[str, str] = {}
        liked: dict[str, str] = {}
        for text in texts:
            wanted = required
            for line in text.splitlines():
                if _LIKED.match(line):
                    wanted = liked
                elif match := _OPTION.match(line):
                    wanted[match[1]] = match[2]
        return cls("\n".join(texts), required, liked)


def parse_config(text: str) -> dict[str, str]:
    """Options of a .config; unset ones have the value ``n``."""
    options: dict[str, str] = {}
    for line in text.splitlines():
        if match := _OPTION.match(line):
            options[match[1]] = match[2]
        elif match := _NOT_SET.match(line):
            options[match[1]] = "n"
    return options


def lost(wanted: dict[str, str], config: dict[str, str]) -> list[str]:
    """Options of `wanted` that `config` does not have with that value."""
    return [name for name, value in wanted.items() if config.get(name, "n") != value]


def check_config(fragments: Fragments, config_text: str) -> None:
    """Raise `RigError` (CONFIG) naming every required option that was lost."""
    missing = lost(fragments.required, parse_config(config_text))
    if missing:
        raise RigError(
            FailureClass.CONFIG,
            f"this tree drops options that the rig needs: {', '.join(missing)}",
            hint="the tree renamed or removed them, or a dependency is missing; "
            "compare kernel_config/fragments with its Kconfig",
        )
