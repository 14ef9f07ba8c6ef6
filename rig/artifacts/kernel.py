# SPDX-License-Identifier: MIT
"""The kernel under test: Image with its modules, and panthor.ko, as two artifacts.

The Image does not depend on panthor's folder, so its key is the tree without it:
a series that only touches panthor, and every mutant, reuses the Image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rig.artifacts.recipe import Builder, Job, Recipe, tool_version
from rig.artifacts.sources import files_digest
from rig.errors import FailureClass
from rig.kernel.kconfig import FRAGMENTS, Fragments, check_config
from rig.kernel.repo import PANTHOR, KernelRepo, Tree
from rig.paths import REPO

CROSS = "aarch64-linux-gnu-"
HELPER = REPO / "guest" / "modules" / "righeap"
WORKTREE = "linux-worktree"
WAITING = "rig: another rig builds in the kernel worktree; waiting for it"
MODULES_STEPS = 40
IMAGE_STEPS = 3300  # lines kbuild prints for a whole build: only for the progress bar
_REPRODUCIBLE = {
    "ARCH": "arm64",
    "CROSS_COMPILE": CROSS,
    "KBUILD_BUILD_USER": "rig",
    "KBUILD_BUILD_HOST": "rig",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 2026",
    "LOCALVERSION": "",
}


@dataclass(frozen=True)
class Flavour:
    """A kernel configuration: the fragments on top of allnoconfig."""

    name: str
    fragments: tuple[str, ...]
    memory: int = 1
    """How much more memory its guests need."""
    slower: float = 1.0
    """How much slower its guests are: deadlines are stretched by it."""

    def load(self) -> Fragments:
        """The fragments' text and what they demand."""
        return Fragments.load([FRAGMENTS / f"{name}.config" for name in self.fragments])


RIG = Flavour("rig", ("base", "rig", "trace"))
DEBUG = Flavour("debug", ("base", "rig", "trace", "debug"), memory=2, slower=8.0)
"""KASAN's shadow takes an eighth of the memory; its quarantine, lockdep and kmemleak want more."""


class _KernelBuild:
    """kbuild in the one worktree; every method runs under the worktree's lock."""

    def __init__(self, job: Job, repo: KernelRepo, tree: Tree, flavour: Flavour) -> None:
        self.job, self.flavour = job, flavour
        self.source = repo.checkout(tree)
        self.objdir = repo.objdir(flavour.name)
        self.objdir.mkdir(exist_ok=True)
        job.env.update(_REPRODUCIBLE)

    def make(self, *argv: str, what: str, steps: int = 0) -> None:
        """One `make` in the source tree with the output folder set."""
        jobs = f"-j{os.cpu_count() or 2}"
        self.job.run(
            ["make", jobs, f"O={self.objdir}", *argv], cwd=self.source, what=what, steps=steps
        )

    def configure(self) -> None:
        """allnoconfig plus the fragments; a required option that got lost is an error."""
        fragments = self.flavour.load()
        wanted = self.objdir / "rig-fragments.config"
        wanted.write_text(fragments.text)
        self.make(f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig", what="configuring the kernel")
        check_config(fragments, (self.objdir / ".config").read_text())

    def image(self, key: str) -> None:
        """Everything: Image, vmlinux and all modules. Notes which Image the folder now holds."""
        stamp = self.objdir / ".rig-image"
        stamp.unlink(missing_ok=True)
        self.configure()
        self.make("Image", "modules", what="building the kernel", steps=IMAGE_STEPS)
        stamp.write_text(key)

    def holds(self, key: str) -> bool:
        """Whether the output folder is that of the Image with this key."""
        stamp = self.objdir / ".rig-image"
        return stamp.exists() and stamp.read_text() == key


@dataclass(frozen=True)
class ImageRecipe(Recipe):
    """Image, vmlinux, .config, and every module but panthor, of one tree and flavour."""

    repo: KernelRepo
    tree: Tree
    flavour: Flavour = RIG

    name: ClassVar[str] = "image"
    version: ClassVar[int] = 1
    failure: ClassVar[FailureClass] = FailureClass.BUILD

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The tree without panthor, the fragments, the compiler."""
        return {
            "tree-without-panthor": self.repo.without(self.tree, PANTHOR),
            # what panthor selects is built into the Image or into other modules
            "panthor-kconfig": _digest(self.repo.read(self.tree, f"{PANTHOR}/Kconfig")),
            "config": self.flavour.load().digest,
            "gcc": tool_version(f"{CROSS}gcc", "--version"),
            "binutils": tool_version(f"{CROSS}ld", "--version"),
        }

    def build(self, job: Job) -> None:
        """Build in the worktree, then take the products out."""
        with job.builder.store.lock(WORKTREE, on_wait=WAITING):
            kernel = _KernelBuild(job, self.repo, self.tree, self.flavour)
            kernel.image(job.key)
            for product in ("arch/arm64/boot/Image", "vmlinux", "System.map", ".config"):
                shutil.copy2(kernel.objdir / product, job.out / Path(product).name)
            kernel.make(
                f"INSTALL_MOD_PATH={job.out / 'modules'}", "INSTALL_MOD_STRIP=1",
                "modules_install", what="installing modules",
            )  # fmt: skip
        for link in (job.out / "modules").rglob("build"):
            link.unlink()  # points into the worktree
        for module in (job.out / "modules").rglob("panthor.ko"):
            module.unlink()  # belongs to the module artifact


@dataclass(frozen=True)
class ModulesRecipe(Recipe):
    """panthor.ko of one tree, our helper module, and the module folder of a guest."""

    repo: KernelRepo
    tree: Tree
    flavour: Flavour = RIG

    name: ClassVar[str] = "modules"
    version: ClassVar[int] = 2
    failure: ClassVar[FailureClass] = FailureClass.BUILD

    def image(self) -> ImageRecipe:
        """The Image these modules belong to."""
        return ImageRecipe(self.repo, self.tree, self.flavour)

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The whole tree, the Image, our helper's source."""
        return {
            "tree": self.tree.id,
            "image": builder.get(self.image()).key,
            "helper": files_digest(_helper_sources()),
        }

    def build(self, job: Job) -> None:
        """Only what changed when the output folder already is the Image's; else all."""
        image = job.builder.get(self.image())
        with job.builder.store.lock(WORKTREE, on_wait=WAITING):
            kernel = _KernelBuild(job, self.repo, self.tree, self.flavour)
            if not kernel.holds(image.key):
                kernel.image(image.key)
            # as part of the tree: an external build would miss "intree" and taint the kernel
            kernel.make("modules", what="building panthor.ko", steps=MODULES_STEPS)
            panthor = kernel.objdir / PANTHOR / "panthor.ko"
            righeap = _build_helper(kernel)
        shutil.copytree(image.path / "modules", job.out / "root", symlinks=True)
        (folder,) = (job.out / "root" / "lib" / "modules").iterdir()
        for built, place in ((panthor, f"kernel/{PANTHOR}"), (righeap, "rig")):
            target = folder / place / built.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(built, job.out / built.name)  # with debug information, for gdb and drgn
            job.run([f"{CROSS}strip", "--strip-debug", "-o", target, built], what="strip")
        job.run(["depmod", "-b", job.out / "root", folder.name], what="depmod")


def _digest(content: bytes | None) -> str:
    return hashlib.sha256(content or b"").hexdigest()


def _build_helper(kernel: _KernelBuild) -> Path:
    """Our helper module, outside the tree, against the kernel that is in the output folder."""
    folder = kernel.job.work / f"righeap-{kernel.flavour.name}"
    _copy_changed(HELPER, folder)
    kernel.make(f"M={folder}", f"MO={folder}", "modules", what="building righeap.ko")
    return folder / "righeap.ko"


def _helper_sources() -> list[Path]:
    return [p for p in HELPER.iterdir() if p.is_file()]


def _copy_changed(source: Path, target: Path) -> None:
    """Copy files whose content differs, so that make sees only real changes."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        copy = target / file.name
        if file.is_file() and (not copy.exists() or copy.read_bytes() != file.read_bytes()):
            shutil.copyfile(file, copy)
