# SPDX-License-Identifier: MIT
"""Keeps an own, patched copy of a source tree up to date.

Only what differs is written, with a fresh mtime, so that a build in the copy
stays incremental when one patch or a few sources change. Hunks must match
exactly (no fuzz): a patch that half fits would be found out much later.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rig.artifacts.overlay import mirror
from rig.environment import build_environment
from rig.errors import infra

_TARGET = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)
_PATCHING = re.compile(r"^(?:checking|patching) file '?([^'\n]+)'?$")


def touched(patch: Path) -> tuple[str, ...]:
    """Paths, relative to the tree, of the files that `patch` changes."""
    return tuple(_TARGET.findall(patch.read_text()))


def digest(patches: Sequence[Path]) -> str:
    """SHA-256 over names and contents, in the order of application."""
    state = hashlib.sha256()
    for patch in patches:
        content = patch.read_bytes()
        state.update(f"{patch.name}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


def patched_copy(tree: Path, tree_digest: str, copy: Path, patches: Sequence[Path]) -> list[Path]:
    """Make `copy` the pristine `tree` plus `patches`; returns the patched files written just now.

    `tree` is never written to. Raises `RigError` (INFRA) with the names of the
    patch and the file when a patch does not apply.
    """
    mirror(tree, copy, tree_digest)
    record = copy.with_name(copy.name + ".patched.json")
    before: list[str] = json.loads(record.read_text()) if record.is_file() else []
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        scratch = Path(folder)
        for patch in patches:
            _apply(tree, scratch, patch)
        now = [p.relative_to(scratch).as_posix() for p in scratch.rglob("*") if p.is_file()]
        record.write_text(json.dumps(sorted({*before, *now})))  # before: Ctrl-C may come
        written = [copy / name for name in now if _put(scratch / name, copy / name)]
    for stale in set(before) - set(now):  # a patch that we no longer have changed it
        _put(tree / stale, copy / stale)
    record.write_text(json.dumps(sorted(now)))
    return written


def synced_copy(folder: Path, copy: Path) -> Path:
    """Make `copy` hold the files of `folder` (not its subfolders); returns `copy`.

    Contents are compared, not times: going back to an older file must rebuild too.
    """
    copy.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in folder.iterdir() if path.is_file()}
    for stale in copy.iterdir():
        if stale.is_file() and stale.name not in names:
            stale.unlink()
    for name in sorted(names):
        _put(folder / name, copy / name)
    return copy


def _apply(tree: Path, scratch: Path, patch: Path) -> None:
    """Patch copies of the files concerned in `scratch`, on top of earlier patches there."""
    for name in touched(patch):
        target = scratch / name
        if not (tree / name).is_file():
            raise _refused(patch, name, tree, "the tree has no such file")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, target)
    command = ["patch", "-p1", "-F0", "-N", "--no-backup-if-mismatch", "-r", "-", "-i", str(patch)]
    try:
        done = subprocess.run(
            command, cwd=scratch, env=build_environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    except FileNotFoundError as exc:
        raise infra("patch is not installed", "`rig doctor` prints the one apt command") from exc
    if done.returncode != 0:
        name, reason = _why(done.stdout + done.stderr)
        raise _refused(patch, name, tree, reason)


def _why(output: str) -> tuple[str, str]:
    """The file that patch(1) worked on when it first failed, and what it said."""
    name = "?"
    for line in output.splitlines():
        if match := _PATCHING.match(line):
            name = match[1]
        elif "FAILED" in line or "previously applied" in line or "malformed" in line:
            return name, line.strip()
    return name, (output.strip().splitlines() or ["no output of patch(1)"])[-1]


def _refused(patch: Path, name: str, tree: Path, reason: str) -> Exception:
    return infra(
        f"{patch.parent.name}/{patch.name} does not apply to {name}: {reason}",
        f"the sources in {tree} are of another version than the patch: rebase the patch, "
        "or leave out the option that names that tree",
    )


def _put(source: Path, target: Path) -> bool:
    content = source.read_bytes()
    if target.is_file() and target.read_bytes() == content:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True
