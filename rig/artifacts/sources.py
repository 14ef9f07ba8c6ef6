# SPDX-License-Identifier: MIT
"""Where source trees come from: Debian's pools through a private apt, or a path the user gives.

Versions roll, so a source is asked for by series ("10.0.") in a stated order of
suites. What was fetched once is used from then on without network; `refresh`
asks apt again. The record of what was taken stands beside each tree.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rig.artifacts.apt import Apt, Candidate
from rig.environment import build_environment
from rig.errors import RigError, infra, usage
from rig.store import Store
from rig.ui import Reporter

RECORD = "fetched.json"


@dataclass(frozen=True)
class SourceSpec:
    """Which source is wanted."""

    package: str
    series: str
    """Prefix of the wanted versions, e.g. ``10.0.``."""
    suites: tuple[str, ...]
    """Suites in the order in which they are tried."""
    kind: Literal["source", "binary"] = "source"
    """Source package, or a binary package that carries a tarball (linux-source)."""
    override: Path | None = None
    """The user's own tree; nothing is fetched then."""


@dataclass(frozen=True)
class SourceTree:
    """An unpacked tree. Read-only by convention: copy it before you write."""

    path: Path
    version: str
    digest: str
    """SHA-256 of what the tree was made from: the fetched files, or the user's tree."""


@dataclass(frozen=True)
class DebSet:
    """Fetched binary packages with their dependencies."""

    paths: tuple[Path, ...]
    digest: str


def tree_digest(root: Path) -> str:
    """SHA-256 over names, modes and contents of all files below `root` (without .git)."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if ".git" in relative.parts or path.is_dir():
            continue
        body = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        mode = "l" if path.is_symlink() else "x" if path.stat().st_mode & 0o100 else "f"
        digest.update(f"{relative}\0{mode}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()


def files_digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and contents of some files, in name order."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda p: p.name):
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Sources:
    """Fetches and unpacks sources into the store's `sources/` folder."""

    def __init__(self, store: Store, ui: Reporter, *, refresh: bool = False) -> None:
        self._store = store
        self._ui = ui
        self._refresh = refresh
        self._root = store.root / "sources"

    def tree(self, spec: SourceSpec) -> SourceTree:
        """The unpacked tree of `spec`; fetched once, then reused."""
        if spec.override is not None:
            return self._user_tree(spec.override)
        with self._store.lock("sources"):
            known = None if self._refresh else self._known(spec)
            return known or self._fetch(spec)

    def debs(
        self,
        packages: Sequence[str],
        suites: Sequence[str] = ("bookworm", "trixie"),
        arch: str = "arm64",
    ) -> DebSet:
        """Binary packages with their dependencies, from the first suite that has them."""
        label = hashlib.sha256("\n".join([arch, *suites, *packages]).encode()).hexdigest()[:12]
        folder = self._root / f"debs-{label}"
        with self._store.lock("sources"):
            if self._refresh or not (folder / RECORD).exists():
                self._fetch_debs(packages, suites, arch, folder)
        paths = tuple(sorted(folder.glob("*.deb")))
        return DebSet(paths, files_digest(paths))

    def _user_tree(self, path: Path) -> SourceTree:
        if not path.is_dir():
            raise usage(f"no source tree at {path}", "give the folder of the unpacked source")
        return SourceTree(path.resolve(), "user's tree", tree_digest(path))

    def _known(self, spec: SourceSpec) -> SourceTree | None:
        """What was fetched last, of the first suite that anything was fetched from."""
        for suite in spec.suites:
            records = self._root.glob(f"{spec.package}_{spec.series}*/{RECORD}")
            for record in sorted(records, key=lambda p: p.stat().st_mtime, reverse=True):
                fetched = json.loads(record.read_text())
                if fetched["suite"] == suite:
                    return SourceTree(record.parent / "tree", fetched["version"], fetched["digest"])
        return None

    def _fetch(self, spec: SourceSpec) -> SourceTree:
        apt = Apt(self._root / "apt-amd64", say=self._ui.say)
        offers = apt.candidates(spec.package, source=spec.kind == "source")
        wanted = [
            offer
            for suite in spec.suites
            for offer in offers
            if offer.suite == suite and _series_matches(offer.version, spec.series)
        ]
        refusals: list[str] = []
        for offer in wanted:
            try:
                return self._fetch_one(apt, spec, offer)
            except RigError as exc:  # a pool that no longer has it: the next suite may
                refusals.append(f"{offer.suite} {offer.version}: {exc.message}")
        tried = "; ".join(refusals) or f"none of {', '.join(spec.suites)} offers that series"
        raise infra(
            f"cannot fetch {spec.package} {spec.series}x: {tried}",
            "give an unpacked tree by path (--kernel, --qemu-src, --tfa-src, --optee-src)",
        )

    def _fetch_one(self, apt: Apt, spec: SourceSpec, offer: Candidate) -> SourceTree:
        self._ui.say(f"  fetching {spec.package} {offer.version} ({offer.suite})")
        final = self._root / f"{spec.package}_{_upstream(offer.version)}"
        scratch = self._store.root / "tmp" / final.name
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        if spec.kind == "source":
            dsc = apt.download_source(spec.package, offer.version, scratch)
            _run("dpkg-source", "--no-check", "-x", str(dsc), str(scratch / "tree"))
        else:
            deb = apt.download_binary(spec.package, offer.version, scratch)
            _unpack_linux_source(deb, scratch)
        fetched = [p for p in scratch.iterdir() if p.is_file()]
        digest = files_digest(fetched)
        record = {"version": offer.version, "suite": offer.suite, "digest": digest}
        (scratch / RECORD).write_text(json.dumps(record, indent=1))
        for path in fetched:
            path.unlink()  # the unpacked tree is what is used; the digest says what it was
        shutil.rmtree(final, ignore_errors=True)
        scratch.rename(final)
        return SourceTree(final / "tree", offer.version, digest)

    def _fetch_debs(
        self, packages: Sequence[str], suites: Sequence[str], arch: str, folder: Path
    ) -> None:
        apt = Apt(self._root / f"apt-{arch}", arch, say=self._ui.say)
        refusals: list[str] = []
        for suite in suites:
            shutil.rmtree(folder, ignore_errors=True)
            self._ui.say(f"  fetching {', '.join(packages)} ({suite}, {arch})")
            try:
                apt.download_closure(packages, suite, folder)
            except RigError as exc:
                refusals.append(f"{suite}: {exc.message}")
                continue
            (folder / RECORD).write_text(json.dumps({"suite": suite, "packages": list(packages)}))
            return
        raise infra(f"cannot fetch {', '.join(packages)}: {'; '.join(refusals)}")


def _series_matches(version: str, series: str) -> bool:
    return _upstream(version).startswith(series) and "~rc" not in version


def _upstream(version: str) -> str:
    """The version without its epoch (a colon in a path breaks PATH-like lists and make)."""
    return version.split(":", 1)[-1]


def _unpack_linux_source(deb: Path, scratch: Path) -> None:
    """linux-source-X.Y: a binary package with one tarball in it."""
    _run("dpkg-deb", "-x", str(deb), str(scratch / "deb"))
    (tarball,) = (scratch / "deb" / "usr" / "src").glob("linux-source-*.tar.xz")
    (scratch / "tree").mkdir()
    _run("tar", "-xf", str(tarball), "-C", str(scratch / "tree"), "--strip-components=1")
    shutil.rmtree(scratch / "deb")


def _run(*argv: str) -> None:
    done = subprocess.run(
        argv, env=build_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise infra(f"{argv[0]} failed: {last}", "see `rig doctor` for missing packages")
