# SPDX-License-Identifier: MIT
"""What a built module says of itself: parameters, dependencies, build-id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from rig.errors import FailureClass, RigError


@dataclass(frozen=True)
class ModuleInfo:
    """`.modinfo` and the build-id note of one .ko."""

    name: str
    parameters: frozenset[str]
    vermagic: str
    build_id: str
    """Lower-case hex digits of the GNU build-id note."""
    texts: frozenset[str] = frozenset()
    """String constants of the code, such as the device-tree properties it reads."""


def module_info(ko: Path) -> ModuleInfo:
    """Read a module. Raises `RigError` (BUILD) when it is no module with a build-id."""
    try:
        with ko.open("rb") as file:
            elf = ELFFile(file)
            modinfo = _section(elf, ".modinfo")
            note = _section(elf, ".note.gnu.build-id")
            texts = _texts(elf)
    except (OSError, ELFError) as exc:
        raise RigError(
            FailureClass.BUILD, f"{ko.name} is not a kernel module with a build-id: {exc}"
        ) from exc
    pairs = [entry.decode().split("=", 1) for entry in modinfo.split(b"\0") if b"=" in entry]
    parameters = frozenset(value.split(":", 1)[0] for key, value in pairs if key == "parm")
    fields = dict(pairs)
    name, vermagic = fields.get("name", ko.stem), fields.get("vermagic", "")
    return ModuleInfo(name, parameters, vermagic, build_id_of_note(note), texts)


def code_digest(ko: Path) -> str:
    """SHA-256 of a stripped module but for its build-id.

    The build-id also covers the debug information, that is every line number: by it
    a comment would be a change.
    """
    build_id = bytes.fromhex(module_info(ko).build_id)
    return hashlib.sha256(ko.read_bytes().replace(build_id, bytes(len(build_id)))).hexdigest()


def _section(elf: ELFFile, name: str) -> bytes:
    section = elf.get_section_by_name(name)
    if section is None:
        raise ELFError(f"no section {name}")
    data: bytes = section.data()
    return data


def _texts(elf: ELFFile) -> frozenset[str]:
    """Read-only data, split at NULs: the linker puts string constants there with all the rest."""
    found = [s.data() for s in elf.iter_sections() if s.name.startswith(".rodata")]
    return frozenset(
        text.decode("ascii", "replace") for data in found for text in data.split(b"\0") if text
    )


def build_id_of_note(note: bytes) -> str:
    """Hex build-id of an ELF note (the section, or /sys/module/X/notes/.note.gnu.build-id)."""
    name_size = int.from_bytes(note[0:4], "little")
    desc_size = int.from_bytes(note[4:8], "little")
    start = 12 + (name_size + 3) // 4 * 4
    return note[start : start + desc_size].hex()
