# SPDX-License-Identifier: MIT
"""Reading a patch series: a folder of patches, one patch file, or an mbox.

The mail parsing is git's own (`git mailsplit`, `git mailinfo`).
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rig.errors import usage
from rig.leftovers import temporary


@dataclass(frozen=True)
class Patch:
    """One patch of a series."""

    subject: str
    diff: bytes
    source: str
    """File it came from, for messages."""


def load_series(path: Path) -> list[Patch]:
    """The patches of `path` in order; mails without a diff (cover letters) are left out.

    Raises `RigError` (USAGE) when there is no such path or no patch in it.
    """
    if path.is_dir():
        files = sorted(path.glob("*.patch")) or sorted(path.glob("*.eml"))
        patches = [patch for file in files for patch in _from_mails(file)]
    elif path.is_file():
        patches = _from_mails(path)
    else:
        raise usage(f"no series at {path}", "give a folder of *.patch files or an mbox")
    if not patches:
        raise usage(f"no patch found in {path}", "`git format-patch` and `b4 am` make usable files")
    return patches


_BASE = re.compile(rb"^base-commit: ([0-9a-f]{12,64})\s*$", re.MULTILINE)


def base_commit(path: Path) -> str:
    """What a series says it was made on (`git format-patch --base`), or an empty string."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and (found := _BASE.search(file.read_bytes())) is not None:
            return found[1].decode()
    return ""


def from_stdin(path: Path, keep: Path, stdin: BinaryIO) -> Path:
    """`path`, or for ``-`` the mbox on stdin as a file in `keep`, by its content.

    Raises `RigError` (USAGE) when nothing comes.
    """
    if str(path) != "-":
        return path
    mails = stdin.read()
    if not mails.strip():
        raise usage("no series on stdin", "such as `b4 am -o- ID | rig series -`")
    file = keep / f"stdin-{hashlib.sha256(mails).hexdigest()[:12]}.mbox"
    file.write_bytes(mails)
    return file


def _from_mails(file: Path) -> list[Patch]:
    with temporary("mail") as folder:
        _git(folder, "mailsplit", f"-o{folder}", "--", str(file.resolve()))
        mails = sorted(p for p in folder.iterdir() if p.name.isdigit())
        patches = [_parse(mail, file.name) for mail in mails]
    return [patch for patch in patches if b"\n+++ " in patch.diff]


def _parse(mail: Path, source: str) -> Patch:
    body, diff = mail.with_suffix(".msg"), mail.with_suffix(".diff")
    info = _git(mail.parent, "mailinfo", str(body), str(diff), stdin=mail.read_bytes())
    fields = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    return Patch(fields.get("Subject", source), b"\n" + diff.read_bytes(), source)


def _git(cwd: str | Path, *argv: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *argv], cwd=cwd, input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["?"])[-1]
        raise usage(f"git {argv[0]} cannot read the series: {reason}")
    return done.stdout.decode(errors="replace")
