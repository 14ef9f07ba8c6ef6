# SPDX-License-Identifier: MIT
"""States that differ in little from one that is there, made folder by folder.

An index of the whole kernel has 96,000 entries: reading and writing it takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's tree without entries: in no tree


@dataclass(frozen=True)
class Objects:
    """git with the repository to read, and with the one to write."""

    read: Callable[[Sequence[str]], bytes]
    write: Callable[[Sequence[str], bytes], bytes]


def without(git: Objects, tree: str, folder: str) -> str:
    """Tree id of `tree` with one folder taken out."""
    name, _, below = folder.partition("/")
    kept: list[bytes] = []
    for what, found in _entries(git, tree):
        if found != os.fsencode(name) or b" tree " not in what:
            kept.append(what + b"\t" + found)
        elif below and (cut := without(git, what.split()[2].decode(), below)) != _EMPTY:
            kept.append(b"040000 tree " + cut.encode() + b"\t" + found)
    return _made(git, kept)


def with_blobs(git: Objects, tree: str, blobs: Mapping[str, str]) -> str:
    """Tree id of `tree` with other contents of files that it has: path -> id of the content."""
    below: dict[bytes, dict[str, str]] = {}
    for path, blob in blobs.items():
        name, _, rest = path.partition("/")
        below.setdefault(os.fsencode(name), {})[rest] = blob
    entries: list[bytes] = []
    for what, found in _entries(git, tree):
        if found in below:
            mode, kind, old = what.split()
            inner = below[found]
            new = inner[""] if "" in inner else with_blobs(git, old.decode(), inner)
            what = b" ".join((mode, kind, new.encode()))  # noqa: PLW2901
        entries.append(what + b"\t" + found)
    return _made(git, entries)


def _entries(git: Objects, tree: str) -> Iterator[tuple[bytes, bytes]]:
    """(mode kind id, name) of what is in one folder."""
    for entry in git.read(["ls-tree", "-z", tree]).split(b"\0")[:-1]:
        what, _, found = entry.partition(b"\t")
        yield what, found


def _made(git: Objects, entries: list[bytes]) -> str:
    text = b"".join(entry + b"\0" for entry in entries)
    return git.write(["mktree", "-z", "--missing"], text).decode().strip()
