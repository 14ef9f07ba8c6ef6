# SPDX-License-Identifier: MIT
"""Puts our device models into a QEMU source tree.

Two halves: new files (`qemu_models/glue` laid out as in QEMU, and the pure core
in `hw/mali/core/`) and a few edits of QEMU's own files. The edits are a table of
anchored lines, not a patch: the same table fits 10.0.x and 10.2.x, where hunks
with context do not. Everything is idempotent and writes a file only when its
content changes, always with a fresh mtime: ninja skips a changed file whose
mtime is older than its object.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rig.errors import infra

CORE_IN_QEMU = Path("hw/mali/core")
CORE_SUFFIXES = (".c", ".h")


class Action(enum.Enum):
    """What an edit does at its anchor."""

    AFTER = "after"
    REPLACE = "replace"
    APPEND = "append"
    """At the end of the file; the anchor is not used."""


@dataclass(frozen=True)
class Edit:
    """One change of one file of QEMU, anchored on a whole line."""

    path: str
    action: Action
    text: str
    anchor: str = ""
    only_if: tuple[str, str] | None = None
    """(file, text): apply only to a QEMU whose `file` contains `text`."""
    why: str = ""


EDITS = (
    Edit("hw/Kconfig", Action.AFTER, "source mali/Kconfig", "source isa/Kconfig"),
    Edit("hw/meson.build", Action.AFTER, "subdir('mali')", "subdir('isa')"),
    Edit(
        "pc-bios/meson.build",
        Action.REPLACE,
        "if unpack_edk2_blobs and false",
        "if unpack_edk2_blobs",
        why="Debian's source tarball has no edk2 images, and meson insists when bzip2 is there",
    ),
    Edit(
        "hw/cxl/cxl-host-stubs.c",
        Action.APPEND,
        "GSList *cxl_fmws_get_all_sorted(void)\n{\n    return NULL;\n}",
        only_if=("include/hw/cxl/cxl_host.h", "cxl_fmws_get_all_sorted"),
        why="10.2: ACPI_CXL without CXL does not link, the stub is missing upstream",
    ),
)


def new_files(models: Path) -> dict[Path, bytes]:
    """What the overlay adds: path inside QEMU -> content.

    `models` is the folder `qemu_models`; the core's tests stay out. The list of
    the core's sources is generated, so that the core may gain files.
    """
    glue, core = models / "glue", models / "core"
    files = {p.relative_to(glue): p.read_bytes() for p in _files(glue)}
    sources = sorted(p for p in core.iterdir() if p.suffix in CORE_SUFFIXES)
    files |= {CORE_IN_QEMU / p.name: p.read_bytes() for p in sources}
    names = ",\n".join(f"  '{p.name}'" for p in sources if p.suffix == ".c")
    listing = f"# SPDX-License-Identifier: GPL-2.0-or-later\nmali_core = files(\n{names},\n)\n"
    files[CORE_IN_QEMU / "meson.build"] = listing.encode()
    return files


def digest(models: Path) -> str:
    """SHA-256 over the added files and the table of edits."""
    state = hashlib.sha256(repr(EDITS).encode())
    for path, content in sorted(new_files(models).items()):
        state.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


def apply(source: Path, models: Path) -> list[Path]:
    """Bring the QEMU tree `source` up to date; returns the files that were written.

    Raises `RigError` (INFRA) when an anchor is gone: a QEMU we do not know.
    """
    files = new_files(models)
    written = [source / path for path, content in files.items() if _put(source / path, content)]
    for stale in (source / CORE_IN_QEMU).iterdir():  # a file that the core has lost
        if stale.relative_to(source) not in files:
            stale.unlink()
    return written + [source / e.path for e in EDITS if _wanted(source, e) and _edit(source, e)]


def mirror(tree: Path, copy: Path, digest: str) -> None:
    """Make `copy` an own copy of the pristine `tree`; re-copies only what changed since last time.

    `digest` is the tree's: while it stays the same nothing is looked at. Changed
    files get a fresh mtime, unchanged ones are left alone with our edits in them.
    """
    record = copy.with_name(copy.name + ".json")
    known = json.loads(record.read_text()) if record.is_file() and copy.is_dir() else {}
    if known.get("digest") == digest:
        return
    before: Mapping[str, list[int]] = known.get("files", {})
    if not before:  # never finished: start over
        shutil.rmtree(copy, ignore_errors=True)
    now: dict[str, list[int]] = {}
    for path in _files(tree):
        name = path.relative_to(tree).as_posix()
        stat = path.lstat()
        now[name] = [stat.st_size, stat.st_mtime_ns]
        if before.get(name) != now[name]:
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(path, target, follow_symlinks=False)
            if not path.is_symlink():
                target.chmod(stat.st_mode | 0o200)
    for gone in before.keys() - now.keys():
        (copy / gone).unlink(missing_ok=True)
    scratch = record.with_suffix(".tmp")
    scratch.write_text(json.dumps({"digest": digest, "files": now}))
    scratch.rename(record)


def _files(root: Path) -> Iterator[Path]:
    for folder, dirs, names in os.walk(root):
        links = [d for d in dirs if (Path(folder) / d).is_symlink()]
        dirs[:] = sorted(d for d in dirs if d not in (".git", ".pc") and d not in links)
        yield from (Path(folder) / name for name in sorted([*names, *links]))


def _put(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _wanted(source: Path, edit: Edit) -> bool:
    if edit.only_if is None:
        return True
    file, text = edit.only_if
    return (source / file).is_file() and text in (source / file).read_text()


def _edit(source: Path, edit: Edit) -> bool:
    path = source / edit.path
    try:
        old = path.read_text()
    except FileNotFoundError as exc:
        raise infra(
            f"{path} is missing: this is not a QEMU source tree that we know",
            "give a tree of QEMU 10.0 or 10.2 (--qemu-src), or extend rig/artifacts/overlay.py",
        ) from exc
    if f"\n{edit.text}\n" in f"\n{old}\n":
        return False
    return _put(path, _edited(old, edit).encode())


def _edited(old: str, edit: Edit) -> str:
    if edit.action is Action.APPEND:
        return f"{old}\n{edit.text}\n"
    lines = old.split("\n")
    if edit.anchor not in lines:
        raise infra(
            f"{edit.path}: no line `{edit.anchor}` to hang our devices on",
            "this QEMU moved it: add an edit for it to rig/artifacts/overlay.py",
        )
    at = lines.index(edit.anchor)
    if edit.action is Action.REPLACE:
        lines[at] = edit.text
    else:
        lines.insert(at + 1, edit.text)
    return "\n".join(lines)
