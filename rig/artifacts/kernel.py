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

from rig.artifacts import quick, rust
from rig.artifacts.recipe import Builder, Job, Recipe, tool_version
from rig.artifacts.sources import files_digest
from rig.errors import FailureClass, RigError
from rig.kernel.kconfig import FRAGMENTS, Fragments, check_config
from rig.kernel.repo import PANTHOR, KernelRepo, Tree
from rig.paths import REPO

CROSS = "aarch64-linux-gnu-"
HELPER = REPO / "guest" / "modules" / "righeap"
WORKTREE = "linux-worktree"
WAITING = "rig: another rig builds in the kernel worktree; waiting for it"
MODULES_STEPS = 40
IMAGE_STEPS = 3300  # lines kbuild prints for a whole build: only for the progress bar
_IMAGE, _PROOF = ".rig-image", ".rig-quick"
"""Notes in the output folder: which Image it holds, what the short way's trial gave."""
_EQUAL = "equal"
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
    rust: bool = False
    """Some of it is written in Rust."""

    def load(self) -> Fragments:
        """The fragments' text and what they demand."""
        return Fragments.load([FRAGMENTS / f"{name}.config" for name in self.fragments])


RIG = Flavour("rig", ("base", "rig", "trace"))
DEBUG = Flavour("debug", ("base", "rig", "trace", "debug"), memory=2, slower=8.0)
"""KASAN's shadow takes an eighth of the memory; its quarantine, lockdep and kmemleak want more."""
TYR = Flavour("tyr", ("base", "rig", "trace", "tyr"), rust=True)


class KernelBuild:
    """kbuild in the one worktree; every method runs under the worktree's lock."""

    def __init__(self, job: Job, repo: KernelRepo, tree: Tree, flavour: Flavour) -> None:
        self.job, self.flavour = job, flavour
        self.source = repo.checkout(tree)
        self.objdir = repo.objdir(flavour.name)
        self.objdir.mkdir(exist_ok=True)
        quick.tidy(self.objdir)
        job.env.update(_REPRODUCIBLE)
        if flavour.rust:
            job.env.update(rust.environment(job.builder.get(rust.RustRecipe()).path))

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
        stamp = self._stamp(_IMAGE)
        stamp.unlink(missing_ok=True)
        self.configure()
        self.make("Image", "modules", what="building the kernel", steps=IMAGE_STEPS)
        stamp.write_text(key)

    def panthor(self) -> Path:
        """panthor.ko of this tree: the short way where that was proved, else by kbuild."""
        module = self.objdir / PANTHOR / "panthor.ko"
        if not (self._proof() == _EQUAL and self._short_way()):
            # as part of the tree: an external build would miss "intree" and taint the kernel
            self.make("modules", what="building panthor.ko", steps=MODULES_STEPS)
            if not self._proof():
                self._prove(module)
        return module

    def _short_way(self) -> bool:
        """Compile, and go the steps behind it; False: kbuild shall say what is wrong."""
        if not quick.compiled(self.objdir, self._step):
            self.make(f"{PANTHOR}/", what="building panthor.ko", steps=MODULES_STEPS)
        steps = quick.last_steps(self.objdir)
        try:
            quick.linked(self.objdir, steps, self._step)
        except RigError:
            return False
        return bool(steps)

    def _step(self, argv: list[str]) -> None:
        self.job.run(argv, cwd=self.objdir, what="building panthor.ko")

    def _prove(self, module: Path) -> None:
        """Make what kbuild has just made the short way too; that way counts when both are equal."""
        wanted = module.read_bytes()
        quick.forget(self.objdir)
        equal = self._short_way() and module.read_bytes() == wanted
        self._stamp(_PROOF).write_text(f"{self._ways()} {_EQUAL if equal else 'differs'}")
        if not equal:
            quick.forget(self.objdir)
            self.make("modules", what="building panthor.ko", steps=MODULES_STEPS)

    def _proof(self) -> str:
        """What was found of the short way for this Image and these commands; empty: not tried."""
        stamp = self._stamp(_PROOF)
        ways, _, found = (stamp.read_text() if stamp.exists() else "").rpartition(" ")
        return found if ways == self._ways() else ""

    def _ways(self) -> str:
        """The Image, all commands, and the Makefile that they follow from."""
        own = [quick.noted(self.objdir, target) for target in quick.objects(self.objdir)]
        steps = "\n".join([*quick.last_steps(self.objdir), *own]).encode()
        makefile = (self.source / PANTHOR / "Makefile").read_bytes()
        return f"{self._stamp(_IMAGE).read_text()} {_digest(steps + makefile)}"

    def _stamp(self, name: str) -> Path:
        return self.objdir / name

    def holds(self, key: str) -> bool:
        """Whether the output folder is that of the Image with this key."""
        stamp = self._stamp(_IMAGE)
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
            **({"rust": builder.get(rust.RustRecipe()).key} if self.flavour.rust else {}),
            "gcc": tool_version(f"{CROSS}gcc", "--version"),
            "binutils": tool_version(f"{CROSS}ld", "--version"),
        }

    def build(self, job: Job) -> None:
        """Build in the worktree, then take the products out."""
        with job.builder.store.lock(WORKTREE, on_wait=WAITING):
            kernel = KernelBuild(job, self.repo, self.tree, self.flavour)
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
class HelperRecipe(Recipe):
    """righeap.ko, outside the tree, against one Image: no edit of panthor builds it again."""

    image: ImageRecipe

    name: ClassVar[str] = "righeap"
    version: ClassVar[int] = 1
    failure: ClassVar[FailureClass] = FailureClass.BUILD

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The Image and our sources."""
        return {
            "image": builder.get(self.image).key,
            "sources": files_digest(_helper_sources()),
        }

    def build(self, job: Job) -> None:
        """In a copy of the sources: kbuild writes beside them."""
        image, recipe = job.builder.get(self.image), self.image
        folder = job.work / recipe.flavour.name
        with job.builder.store.lock(WORKTREE, on_wait=WAITING):
            kernel = KernelBuild(job, recipe.repo, recipe.tree, recipe.flavour)
            if not kernel.holds(image.key):
                kernel.image(image.key)
            _copy_changed(HELPER, folder)
            kernel.make(f"M={folder}", f"MO={folder}", "modules", what="building righeap.ko")
            shutil.copy2(folder / "righeap.ko", job.out / "righeap.ko")


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

    def helper(self) -> HelperRecipe:
        """Our own module."""
        return HelperRecipe(self.image())

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
            kernel = KernelBuild(job, self.repo, self.tree, self.flavour)
            if not kernel.holds(image.key):
                kernel.image(image.key)
            panthor = kernel.panthor()
            shutil.copy2(panthor, job.out / panthor.name)  # before another rig builds its own
        shutil.copytree(image.path / "modules", job.out / "root", symlinks=True)
        (folder,) = (job.out / "root" / "lib" / "modules").iterdir()
        helper = job.builder.get(self.helper()).path
        shutil.copy2(helper / "righeap.ko", job.out / "righeap.ko")
        for name, place in (("panthor.ko", f"kernel/{PANTHOR}"), ("righeap.ko", "rig")):
            target = folder / place / name  # with debug information outside, for gdb and drgn
            target.parent.mkdir(parents=True, exist_ok=True)
            job.run([f"{CROSS}strip", "--strip-debug", "-o", target, job.out / name], what="strip")
        job.run(["depmod", "-b", job.out / "root", folder.name], what="depmod")


def _digest(content: bytes | None) -> str:
    return hashlib.sha256(content or b"").hexdigest()


def _helper_sources() -> list[Path]:
    return [p for p in HELPER.iterdir() if p.is_file()]


def _copy_changed(source: Path, target: Path) -> None:
    """Copy files whose content differs, so that make sees only real changes."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        copy = target / file.name
        if file.is_file() and (not copy.exists() or copy.read_bytes() != file.read_bytes()):
            shutil.copyfile(file, copy)
