# SPDX-License-Identifier: MIT
"""The cache folder as a whole: what takes how much, and how it is kept below a bound.

Artifacts, snapshots, runs and logs go, the least recently used first, but never what a
live rig holds. Sources stay (without network nobody could fetch them again), and so do
build trees (minutes of compiling, and other rigs may be in them).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rig.errors import usage
from rig.hold import unused
from rig.store import DEFAULT_GIB, GIB, Store

LIVE = ".live"
"""In the folder of a run: held by the rig that writes there."""
VARIABLE = "RIG_CACHE_GIB"
PARTS = {
    "store": "finished artifacts, snapshots and verdicts, by content",
    "work": "build trees: the next build goes on in them",
    "sources": "what was fetched, unpacked",
    "runs": "what runs left behind",
    "logs": "build logs",
    "tmp": "half-made things of builds that run, or were killed",
}
_LARGE = ("work", "sources")  # 400,000 files: seconds to count
_NOTE = "sizes.json"
_NOTE_S = 6 * 3600.0
_COUNTED = "artifacts.json"
_SLACK = 0.98
"""How full a build leaves the folder that was over its bound: the next ones need not look again."""
_DAY_S = 24 * 3600.0
_KEEP_RUNS = 3


def bound() -> float:
    """How much the folder may take, GiB: ``$RIG_CACHE_GIB``, else the default.

    Raises `RigError` (USAGE) when it is no positive number.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        gib = float(text) if text else DEFAULT_GIB
    except ValueError:
        gib = 0.0
    if not 0 < gib < float("inf"):
        raise usage(f"{VARIABLE}={text!r} is no size in GiB", f"such as {VARIABLE}={DEFAULT_GIB:g}")
    return gib


def disk_bytes(path: Path) -> int:
    """Bytes on disk below `path`: holes take none, and what vanishes meanwhile does not count."""
    try:
        return path.lstat().st_blocks * 512 + (_below(path) if _is_folder(path) else 0)
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _below(folder: Path | str) -> int:
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    total += _below(entry.path)
            except (FileNotFoundError, NotADirectoryError):  # a build or run goes on in there
                continue
    return total


def sizes(store: Store, *, fresh: bool) -> dict[str, int]:
    """Bytes of each part. Unless `fresh`, the large ones may be a few hours old.

    Unless `fresh`, an artifact counts as much as when it was seen first.
    """
    note = store.root / _NOTE
    large: dict[str, int] = {}
    if not fresh and note.exists() and time.time() - note.stat().st_mtime < _NOTE_S:
        try:
            large = dict(json.loads(note.read_text()))
        except ValueError:
            large = {}
    if set(large) != set(_LARGE):
        large = {name: disk_bytes(store.root / name) for name in _LARGE}
        note.write_text(json.dumps(large))
    large["store"] = sum(_artifacts(store, fresh=fresh).values())
    return {name: large.get(name) or disk_bytes(store.root / name) for name in PARTS}


def _artifacts(store: Store, *, fresh: bool) -> dict[str, int]:
    """Bytes of each artifact, by folder and its inode: it never changes, so it is counted once."""
    note = store.root / _COUNTED
    try:
        before = {} if fresh else dict(json.loads(note.read_text()))
    except (FileNotFoundError, ValueError):
        before = {}
    now: dict[str, int] = {}
    for kind in _list(store.root / "store"):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(kind) as entries:
            for entry in entries:
                name = f"{kind.name}/{entry.name} {entry.inode()}"
                now[name] = before.get(name) or disk_bytes(Path(entry.path))
    if now != before:
        scratch = note.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(now))
        scratch.rename(note)
    return now


@dataclass(frozen=True)
class Item:
    """One thing that may go."""

    what: str
    used: float
    """When it was used last, s since the epoch."""
    path: Path
    remove: Callable[[], bool]
    """Removes it; False: somebody uses it."""


def make_room(
    store: Store, gib: float | None = None, *, fresh: bool = False
) -> Iterator[tuple[Item, int]]:
    """Remove what was not used for longest until the whole is within `gib` GiB.

    Yields what went, with its size in bytes. What a live rig uses stays, also when the
    bound is not met then. Unless `fresh`, a folder over its bound gets a little more room.
    """
    limit = (bound() if gib is None else gib) * GIB
    taken = sum(sizes(store, fresh=fresh).values())
    if taken <= limit:
        return
    left = taken - limit * (1.0 if fresh else _SLACK)
    for item in sorted(_items(store), key=lambda item: item.used):
        if left <= 0:
            return
        size = disk_bytes(item.path)
        if item.remove():
            left -= size
            yield item, size


def _items(store: Store) -> Iterator[Item]:
    for artifact, used in store.artifacts():
        what = f"{artifact.name} {artifact.key}"
        yield Item(what, used, artifact.path, partial(store.discard, artifact))
    runs = sorted(path for path in _list(store.root / "runs") if _is_folder(path))
    for run in runs[:-_KEEP_RUNS]:
        yield Item(f"runs/{run.name}", run.lstat().st_mtime, run, partial(drop_run, run))
    for name in ("logs", "tmp"):
        for path in _list(store.root / name):
            used = path.lstat().st_mtime
            if time.time() - used > _DAY_S:
                yield Item(f"{name}/{path.name}", used, path, partial(_delete, path))


def drop_run(folder: Path) -> bool:
    """Remove the folder of a run; False: the rig that writes to it still runs."""
    with unused(folder / LIVE) as mine:
        return mine and _delete(folder)


def _delete(path: Path) -> bool:
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True


def _list(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
