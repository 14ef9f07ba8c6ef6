# SPDX-License-Identifier: MIT
"""What is under test and what it runs on: options in, artifacts out, built when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rig import deadlines
from rig.artifacts.csffw import CsffwRecipe
from rig.artifacts.firmware import FirmwareRecipe
from rig.artifacts.kernel import DEBUG, RIG, Flavour, ModulesRecipe
from rig.artifacts.kernel import TYR as TYR_KERNEL
from rig.artifacts.qemu import QemuRecipe
from rig.artifacts.recipe import Builder
from rig.artifacts.rootfs import RootfsRecipe
from rig.artifacts.sources import SourceSpec
from rig.errors import FailureClass, RigError
from rig.gpu.rows import GpuRow, gpu_row
from rig.kernel.contract import TYR, Contract, Detected, by_name, detect
from rig.kernel.module import ModuleInfo, module_info
from rig.kernel.patches import load_series
from rig.kernel.repo import KernelRepo, Tree
from rig.machine.launch import Disk
from rig.options import Options
from rig.store import Store
from rig.ui import Reporter

LINUX = SourceSpec("linux-source-7.3", "7.3.", ("trixie-backports", "sid", "forky"), kind="binary")
_MACHINE = ("qemu", "firmware", "rootfs", "mcu_firmware")


@dataclass(frozen=True)
class Root:
    """A disk with the guest's root file system."""

    disk: Disk
    hook: str
    """What init runs first, to mount it and bring in what belongs to the boot (guest/init)."""


class TestBed:
    """Everything a guest needs, for one set of options."""

    __test__ = False  # the name is the field's; pytest must not collect it

    def __init__(self, options: Options, ui: Reporter, store: Store | None = None) -> None:
        self.options = options
        self.ui = ui
        options.check()
        if self.flavour.slower != 1.0:
            deadlines.slow_guest(self.flavour.slower)
        self.root: Root | None = None
        """The Debian guest's, once it is there (`rig.debian`)."""
        self.ahead: object | None = None
        """A guest on its way while modules are built (`rig.ahead.Ahead`)."""
        self.builder = Builder(store or Store(), ui, refresh=options.refresh)

    @property
    def flavour(self) -> Flavour:
        """The kernel's configuration."""
        if self.options.tyr:
            return TYR_KERNEL
        return DEBUG if self.options.debug else RIG

    @cached_property
    def repo(self) -> KernelRepo:
        """Our git view of kernel trees."""
        return KernelRepo(self.builder.store)

    @cached_property
    def base(self) -> Tree:
        """The kernel tree without any patch."""
        kernel = self.options.kernel
        if kernel is not None:
            return self.repo.snapshot(kernel, str(kernel))
        source = self.builder.sources.tree(LINUX)
        return self.repo.fetched(
            source.path, source.digest, f"Linux {source.version.split('-')[0]}"
        )

    @cached_property
    def tree(self) -> Tree:
        """The patched state under test."""
        tree = self.base
        for path in self.options.patch_paths():
            name = path.stem if path.suffix else path.name
            tree = self.repo.apply(tree, load_series(path), name)[-1]
        return tree

    def at(self, tree: Tree, repo: KernelRepo | None = None) -> TestBed:
        """The same machine with another state of the kernel, which `repo` can read.

        The machine stays what it was at the first call: an edit of the rig halfway through
        a series must not be taken for an effect of a patch.
        """
        bed = TestBed(self.options, self.ui, self.builder.store)
        bed.builder, bed.repo, bed.tree = self.builder, repo or self.repo, tree
        for name in _MACHINE:
            setattr(bed, name, getattr(self, name))
        return bed

    @cached_property
    def _modules_recipe(self) -> ModulesRecipe:
        return ModulesRecipe(self.repo, self.tree, self.flavour)

    @cached_property
    def image(self) -> Path:
        """Folder with Image, vmlinux, System.map, .config."""
        return self.builder.get(self._modules_recipe.image()).path

    @cached_property
    def modules(self) -> Path:
        """Folder with panthor.ko and righeap.ko (unstripped) and `root/`, the guest's modules."""
        return self.builder.get(self._modules_recipe).path

    @cached_property
    def own_modules(self) -> dict[str, bytes]:
        """What the guest's modules have beyond those of the Image: path in the guest to content.

        That is panthor, our helper and depmod's tables: what a snapshot of the Image lacks.
        """
        ours, theirs = self.modules / "root", self.image / "modules"
        found: dict[str, bytes] = {}
        for path in sorted(p for p in ours.rglob("*") if p.is_file() and not p.is_symlink()):
            name, content = path.relative_to(ours), path.read_bytes()
            same = theirs / name
            if not same.is_file() or same.read_bytes() != content:
                found[f"/{name}"] = content
        return found

    @cached_property
    def panthor(self) -> ModuleInfo:
        """What the built panthor.ko says of itself."""
        return module_info(self.modules / "panthor.ko")

    @cached_property
    def contract(self) -> Detected:
        """The contract that the built module speaks."""
        if self.options.tyr:
            return Detected(TYR, "--tyr asks for the Rust driver")
        return detect(self.panthor)

    @cached_property
    def pinned(self) -> Contract | None:
        """The contract the user demands."""
        return by_name(self.options.contract) if self.options.contract else None

    def require_contract(self) -> None:
        """Raise `RigError` (ASSERT) when the tree does not speak the pinned contract."""
        if self.pinned is not None and self.pinned != self.contract.contract:
            raise RigError(
                FailureClass.ASSERT,
                f"the tree under test speaks {self.contract.contract.name}, "
                f"not {self.pinned.name}: {self.contract.why}",
                hint="drop --contract to let the rig find out what the tree speaks",
            )

    @cached_property
    def qemu(self) -> Path:
        """Folder of the QEMU artifact; the binary is bin/qemu-system-aarch64."""
        return self.builder.get(QemuRecipe(self.options.qemu_src)).path

    @cached_property
    def firmware(self) -> Path:
        """Folder with flash.bin (TF-A, OP-TEE, BL33) and the ELF files."""
        options = self.options
        recipe = FirmwareRecipe(
            tfa=options.tfa_src, optee=options.optee_src, mutant=options.firmware_mutant()
        )
        return self.builder.get(recipe).path

    @cached_property
    def rootfs(self) -> Path:
        """The guest's userland as an uncompressed cpio."""
        return self.builder.get(RootfsRecipe()).path / "rootfs.cpio"

    @cached_property
    def mcu_firmware(self) -> Path:
        """The MCU's firmware image, for the architecture of the GPU."""
        return self.mcu_image(self.gpu)

    def mcu_image(self, gpu: GpuRow) -> Path:
        """The same for another GPU than that of the run."""
        recipe = CsffwRecipe(gpu.arch, override=self.options.mcu_fw)
        return self.builder.get(recipe).path / "mali_csffw.bin"

    @property
    def gpu(self) -> GpuRow:
        """The emulated GPU's row."""
        return gpu_row(self.options.gpu)

    def build_machine(self) -> None:
        """Every artifact that does not depend on the kernel under test."""
        for name in _MACHINE:
            getattr(self, name)

    def build_unloaded(self) -> None:
        """Every artifact that a guest needs before a module is loaded."""
        for name in ("image", *_MACHINE):
            getattr(self, name)

    def build_all(self) -> None:
        """Every artifact, the long builds first."""
        for name in ("qemu", "image", "modules", "firmware", "rootfs", "mcu_firmware"):
            getattr(self, name)
