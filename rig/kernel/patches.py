# SPDX-License-Identifier: MIT
"""Reading a patch series: a folder of patches, one patch file, or an mbox.

The mail parsing is git's own (`git mailsplit`, `git mailinfo`).
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rig.errors import usage


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


def _from_mails(file: Path) -> list[Patch]:
    with tempfile.TemporaryDirectory(prefix="rig-mail-") as folder:
        _git(folder, "mailsplit", f"-o{folder}", "--", str(file.resolve()))
        mails = sorted(p for p in Path(folder).iterdir() if p.name.isdigit())
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
