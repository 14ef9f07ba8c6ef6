# SPDX-License-Identifier: MIT
"""QEMU, built small, with our device models in it.

Facts about the build (sizes, missing pieces of Debian's tarball, versions of the
Python wheels) were measured on 10.0.13 and 10.2.2; docs/qemu.md has them. One
binary comes out, `bin/qemu-system-aarch64`; it needs no data files at run time
as long as nothing asks for an option ROM (we use virtio-mmio and `-nodefaults`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rig.artifacts import overlay
from rig.artifacts.recipe import Builder, Job, Recipe, libraries_digest, tool_version
from rig.artifacts.sources import SourceSpec, SourceTree
from rig.errors import FailureClass, infra
from rig.paths import REPO

MODELS = REPO / "qemu_models"
BINARY = Path("bin/qemu-system-aarch64")
SERIES = "10.0."
SUITES = ("trixie", "trixie-backports", "sid")
LIBRARIES = ("glib-2.0", "slirp")  # libfdt has no .pc file everywhere: configure looks for it
LINKED = ("libfdt.so", "libz.so", "libc.so.6")
"""Linked too, but not all of them have a version that pkg-config knows."""

FLAGS = (
    "--target-list=aarch64-softmmu",
    "--without-default-features",
    "--without-default-devices",
    "--with-devices-aarch64=mali",
    "--enable-system",
    "--enable-tcg",
    "--enable-fdt=system",
    "--enable-slirp",
    "--enable-trace-backends=log",
    "--disable-docs",
    "--disable-tools",
    "--disable-user",
    "--disable-guest-agent",
    "--disable-install-blobs",
    "--disable-werror",
    "--disable-debug-info",
    "--disable-download",
)


class QemuRecipe(Recipe):
    """`qemu-system-aarch64` with `mali-csf`; artifact: `bin/qemu-system-aarch64`.

    `override` is a QEMU tree of the user's instead of the distribution's source
    package (copied, never written to); `models` the folder `qemu_models`.
    """

    name: ClassVar[str] = "qemu"
    version: ClassVar[int] = 2
    failure: ClassVar[FailureClass] = FailureClass.INFRA

    def __init__(self, override: Path | None = None, *, models: Path = MODELS) -> None:
        self.override = override
        self.models = models

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """Source, overlay, compiler, options, libraries."""
        return {
            "source": self._tree(builder).digest,
            "overlay": overlay.digest(self.models),
            "compiler": tool_version("gcc", "--version"),
            "flags": " ".join(FLAGS),
            "libraries": _libraries(),
            "linked": libraries_digest("gcc", LINKED),
            "binutils": tool_version("ld", "--version"),
        }

    def build(self, job: Job) -> None:
        """Compile in the persistent work folder; only what changed since last time."""
        tree = self._tree(job.builder)
        place = job.work / ("own" if self.override else _upstream(tree.version))
        job.env["CCACHE_BASEDIR"] = str(place)  # hits whatever the cache folder is called
        source, out = place / "source", place / "build"
        place.mkdir(parents=True, exist_ok=True)
        overlay.mirror(tree.path, source, tree.digest)
        _provide_wheels(job, source)
        overlay.apply(source, self.models)
        _configure(job, source, out)
        (out / BINARY.name).unlink(missing_ok=True)  # ninja does not follow the system's libraries
        job.run(
            ["ninja", "-C", out, f"-j{len(os.sched_getaffinity(0))}", BINARY.name],
            what="compiling QEMU",
            hint="the first error is in the log",
        )
        _publish(job, out / BINARY.name)

    def _tree(self, builder: Builder) -> SourceTree:
        spec = SourceSpec("qemu", SERIES, SUITES, kind="source", override=self.override)
        return builder.sources.tree(spec)


def _upstream(version: str) -> str:
    """``1:10.0.13+ds-1`` -> ``10.0.13``: a folder name that make and PATH can bear."""
    match = re.search(r"\d+(\.\d+)+", version)
    return match[0] if match else "unknown"


def _libraries() -> str:
    """Versions of what we link against; the binary must follow an upgrade of them."""
    try:
        done = subprocess.run(
            ["pkg-config", "--modversion", *LIBRARIES], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as exc:
        raise infra("pkg-config is not installed", _DOCTOR) from exc
    if done.returncode != 0:
        missing = done.stderr.strip().splitlines()[-1:] or ["a library is missing"]
        raise infra(f"cannot build QEMU: {missing[0]}", _DOCTOR)
    return " ".join(done.stdout.split())


_DOCTOR = "`rig doctor` prints the one apt command that is missing"


def _provide_wheels(job: Job, source: Path) -> None:
    """Put the build system's Python wheels where configure looks; it never goes on-line.

    They are fetched once, by plain pip, into the store's sources folder. Which
    versions is the tree's own choice (pythondeps.toml, key "installed").
    """
    group = tomllib.loads((source / "pythondeps.toml").read_text())["meson"]
    shelf = job.builder.store.root / "sources" / "wheels"
    for name, entry in group.items():  # meson, and pycotap unless Debian patched it out
        wanted = entry["installed"]
        pattern = f"{name}-{wanted}-*.whl"
        if not list(shelf.glob(pattern)):
            _download(job, shelf, f"{name}=={wanted}")
        for wheel in shelf.glob(pattern):
            target = source / "python" / "wheels" / wheel.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(wheel, target)


def _download(job: Job, shelf: Path, requirement: str) -> None:
    python = sys.executable if importlib.util.find_spec("pip") else "/usr/bin/python3"
    job.run(
        [python, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", shelf,
         requirement],
        what=f"fetching {requirement}",
        hint=f"QEMU's build needs it once: check network and pip, or put the wheel into {shelf}",
    )  # fmt: skip


def _configure(job: Job, source: Path, out: Path) -> None:
    """Run configure unless this build folder was configured the same way; ninja does the rest."""
    compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
    command = [
        str(source / "configure"), *FLAGS, f"--cc={compiler}", f"--python={sys.executable}",
    ]  # fmt: skip
    state = f"{tool_version('gcc', '--version')}\n{' '.join(command)}"
    stamp = out / "rig-configured"
    wanted = hashlib.sha256(state.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    job.run(command, cwd=out, what="configuring QEMU", hint=_DOCTOR)
    stamp.write_text(wanted)


def _publish(job: Job, built: Path) -> None:
    binary = job.out / BINARY
    binary.parent.mkdir(parents=True)
    # the names of functions stay: `rig gdb --qemu`, and a crash's backtrace
    job.run(["strip", "--strip-debug", "-o", binary, built], what="strip")
    job.run(
        [binary, "-display", "none", "-device", "mali-csf,help"],
        what="starting the new QEMU",
        hint="the binary does not run or lacks our device",
    )
