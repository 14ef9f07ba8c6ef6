# SPDX-License-Identifier: MIT
"""The content-addressed store: one folder an artifact, published atomically.

Layout under the root (``$RIG_CACHE`` or the platform's cache folder):

    store/<name>/<key>/   finished artifacts; manifest.json says what went in
    work/<name>/          persistent build trees (incremental), owned by the lock
    sources/              fetched source packages and unpacked trees
    locks/ tmp/ logs/
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from rig.environment import require_plain
from rig.errors import RigError, infra
from rig.hold import hold, unused

KEY_CHARS = 20
GIB = 1 << 30
DEFAULT_GIB = 20.0
"""How much the whole folder may take before what was not used for longest goes."""
_HARDLY_ANY = 1 << 20
MANIFEST = "manifest.json"
_LEFT = re.compile(r"-[^-]+-\d+")
"""``-<key>-<pid>``: the end of a scratch folder's name."""


def default_root() -> Path:
    """``$RIG_CACHE``, else the platform's cache folder."""
    override = os.environ.get("RIG_CACHE")
    return Path(override).absolute() if override else platformdirs.user_cache_path("panthor-rig")


def key_of(inputs: Mapping[str, str]) -> str:
    """Content key of an artifact: SHA-256 over its sorted inputs, shortened to 20 hex digits."""
    text = json.dumps(dict(inputs), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARS]


def full_disk(exc: OSError, root: Path) -> RigError | None:
    """The error for a full disk, or None when `exc` is something else."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return infra(
            f"no space left on the disk that holds {root}",
            "free some space, run `rig cache gc`, or set RIG_CACHE to a folder on another disk",
        )
    return None


def no_space(*folders: Path) -> RigError | None:
    """The error for a disk that is full right now, or None: who wrote last may not say so."""
    for folder in folders:
        try:
            free = os.statvfs(folder)
        except FileNotFoundError:
            continue
        if free.f_bavail * free.f_frsize < _HARDLY_ANY:
            return full_disk(OSError(errno.ENOSPC, ""), folder)
    return None


def full_disk_words(output: str, root: Path) -> RigError | None:
    """The error for a full disk when that is what a tool complained of, or None."""
    code = errno.ENOSPC if os.strerror(errno.ENOSPC) in output else errno.EDQUOT
    if os.strerror(code) not in output:
        return None
    return full_disk(OSError(code, ""), root)


@dataclass(frozen=True)
class Artifact:
    """One finished folder of the store."""

    name: str
    key: str
    path: Path
    inputs: Mapping[str, str]
    seconds: float
    """Wall time of the build, s."""
    cpu_seconds: float
    """User + system time of the build's children, s."""

    @property
    def size(self) -> int:
        """Bytes on disk; the holes of a guest's RAM take none."""
        return sum(f.lstat().st_blocks * 512 for f in self.path.rglob("*") if f.is_file())


class Store:
    """Finds, publishes and removes artifacts. Safe against a second rig and against Ctrl-C."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()
        require_plain(self.root, "the artifact store", "set RIG_CACHE to a plain path")
        try:
            for name in ("store", "work", "sources", "locks", "tmp", "logs"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise full_disk(exc, self.root) or infra(
                f"cannot create the artifact store at {self.root}: {exc.strerror}",
                "set RIG_CACHE to a folder you may write to",
            ) from exc

    def path_of(self, name: str, key: str) -> Path:
        """Where the artifact `name` with content key `key` lives when it exists."""
        return self.root / "store" / name / key

    def find(self, name: str, key: str) -> Artifact | None:
        """The finished artifact, or None. Marks it as used (for gc)."""
        path = self.path_of(name, key)
        artifact = _read(name, key, path)
        if artifact is not None:
            os.utime(path / MANIFEST)
        return artifact

    def work(self, name: str) -> Path:
        """The persistent build folder of `name`; use it only under `lock(name)`."""
        path = self.root / "work" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def lock(self, name: str, on_wait: str | None = None) -> Iterator[None]:
        """Hold `name`'s lock; a second rig waits (it says so once through `on_wait`).

        One of those who wait has the gate: whoever had the lock gets it again behind that one.
        """
        gate, lock = (FileLock(self.root / "locks" / f"{name}.{end}") for end in ("gate", "lock"))
        unsaid = _acquire(gate, on_wait)
        try:
            _acquire(lock, unsaid)
        finally:
            gate.release()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def publishing(self, name: str, key: str, inputs: Mapping[str, str]) -> Iterator[Path]:
        """A scratch folder that becomes the artifact when the block ends without an error.

        Only under `lock(name)`.
        """
        for left in (self.root / "tmp").glob(f"{name}-*"):
            if _LEFT.fullmatch(left.name.removeprefix(name)):  # of a build that was killed
                shutil.rmtree(left, ignore_errors=True)
        scratch = self.root / "tmp" / f"{name}-{key}-{os.getpid()}"
        scratch.mkdir(parents=True)
        started, cpu = time.monotonic(), _children_cpu()
        try:
            yield scratch
            manifest = {
                "name": name,
                "inputs": dict(inputs),
                "seconds": round(time.monotonic() - started, 1),
                "cpu_seconds": round(_children_cpu() - cpu, 1),
                "files": _sizes(scratch),
            }
            (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            final = self.path_of(name, key)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():  # damaged: somebody deleted part of it
                shutil.rmtree(final)
            scratch.rename(final)
        except OSError as exc:
            raise full_disk(exc, self.root) or exc from exc
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def artifacts(self) -> list[tuple[Artifact, float]]:
        """Every finished artifact with its last use (s since the epoch), least recent first."""
        found: list[tuple[Artifact, float]] = []
        for manifest in (self.root / "store").glob(f"*/*/{MANIFEST}"):
            used = manifest.stat().st_mtime
            folder = manifest.parent  # looking is not using: no `find`
            if (artifact := _read(folder.parent.name, folder.name, folder)) is not None:
                found.append((artifact, used))
        return sorted(found, key=lambda pair: pair[1])

    def hold(self, artifact: Artifact) -> bool:
        """Nobody discards `artifact` while this process lives. False: it is gone already."""
        return hold(artifact.path / MANIFEST)

    def discard(self, artifact: Artifact) -> bool:
        """Remove an artifact unless some rig holds it; whether it went."""
        with unused(artifact.path / MANIFEST) as free:
            if free:
                self.remove(artifact)
            return free

    def remove(self, artifact: Artifact) -> None:
        """Delete one artifact; readers that hold open files keep them."""
        with self.lock(artifact.name):
            doomed = self.root / "tmp" / f"gc-{artifact.name}-{artifact.key}-{os.getpid()}"
            artifact.path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def _acquire(lock: FileLock, on_wait: str | None) -> str | None:
    """Wait for a lock, saying `on_wait` if it is not free; what is left to be said."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait:
            print(on_wait, flush=True)
        lock.acquire()
        return None
    return on_wait


def _read(name: str, key: str, path: Path) -> Artifact | None:
    """The artifact in `path`, or None when it is not there whole: then it is built again."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        artifact = Artifact(
            name,
            key,
            path,
            manifest["inputs"],
            float(manifest["seconds"]),
            float(manifest["cpu_seconds"]),
        )
        files: dict[str, int] = manifest.get("files", {})
        whole = all((path / file).lstat().st_size == size for file, size in files.items())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return artifact if whole else None


def _sizes(folder: Path) -> dict[str, int]:
    """Size of every file below `folder`, bytes: enough to see later whether one was harmed."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())
    return {str(path.relative_to(folder)): path.lstat().st_size for path in files}


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system
