# SPDX-License-Identifier: MIT
"""What is under test and what it runs on: options in, artifacts out, built when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from rig import deadlines
from rig.artifacts.csffw import CsffwRecipe
from rig.artifacts.firmware import FirmwareRecipe
from rig.artifacts.kernel import DEBUG, RIG, Flavour, ModulesRecipe
from rig.artifacts.kernel import TYR as TYR_KERNEL
from rig.artifacts.qemu import QemuRecipe
from rig.artifacts.recipe import Builder
from rig.artifacts.rootfs import RootfsRecipe
from rig.artifacts.sources import SourceSpec
from rig.errors import FailureClass, RigError, usage
from rig.gpu.rows import GpuRow, gpu_row, require_faults
from rig.kernel.contract import TYR, Contract, Detected, by_name, detect
from rig.kernel.module import ModuleInfo, module_info
from rig.kernel.patches import load_series
from rig.kernel.repo import KernelRepo, Tree, require_kernel
from rig.machine.launch import Disk, Soc
from rig.paths import REPO
from rig.store import Store
from rig.ui import Reporter

LINUX = SourceSpec("linux-source-7.3", "7.3.", ("trixie-backports", "sid", "forky"), kind="binary")
SERIES = REPO / "kernel_config" / "series"
MUTANTS = REPO / "kernel_config" / "mutants"
FIRMWARE_MUTANTS = REPO / "firmware" / "mutants"
DEFAULT_SERIES = SERIES / "heap-name"
_MACHINE = ("qemu", "firmware", "rootfs", "mcu_firmware")


Rootfs = Literal["initramfs", "debian"]


@dataclass(frozen=True)
class Options:
    """What the user chose; the defaults are the mission: Linux 7.3 with our heap-name series."""

    kernel: Path | None = None
    """The user's tree; None: Linux 7.3 from the distribution."""
    series: tuple[Path, ...] | None = None
    """Patches on top of it; None: heap-name on the default tree, nothing on the user's."""
    mutant: str | None = None
    """A deliberately broken driver, or OP-TEE: one more patch on top."""
    contract: str | None = None
    """Pins the contract: a tree that does not speak it fails instead of being skipped."""
    gpu: str = "g610"
    debug: bool = False
    """The slow kernel: KASAN, lockdep, kmemleak, DMA-API checks, UBSAN."""
    tyr: bool = False
    """A kernel with Rust, for the family tyr alone; without a series, which are all panthor's."""
    coherent: bool = False
    """The GPU sees the CPU's caches: `dma-coherent` and ACE-Lite, unlike an RK3588."""
    soc: Soc = "rk3588"
    """Whose GPU node the device tree has; an MT8196's makes the driver set an ASN hash."""
    qemu_src: Path | None = None
    tfa_src: Path | None = None
    optee_src: Path | None = None
    mcu_fw: Path | None = None
    faults: tuple[tuple[str, int], ...] = ()
    """Fault plan of the device at start: (name, argument)."""
    firewall: bool = True
    """False: protected memory is not protected, to see what then goes unnoticed."""
    rootfs: Rootfs = "initramfs"
    """The guest's userland: a small one in memory, or Debian on a disk."""
    keep_disk: Path | None = None
    """Debian's disk for one guest after the other; None: what a guest writes ends with it."""
    net: bool = False
    """The guest reaches what this machine reaches."""
    refresh: bool = False
    """Ask apt for newer versions of what was fetched before."""
    cold: bool = False
    """Boot every guest instead of restoring a snapshot."""
    icount: bool = False
    """Guests by counted instructions: a busy host slows them down, and starves none."""
    record: bool = False
    """Guests with one CPU, by counted instructions, that can be replayed."""
    soak: bool = False
    """Scenarios that repeat something do so ten times as often."""

    def check(self) -> None:
        """Raise `RigError` (USAGE) for a wrong name or path, before anything is built."""
        if self.kernel is not None:
            require_kernel(self.kernel)
        if self.contract is not None:
            by_name(self.contract)
        gpu_row(self.gpu)
        require_faults(self.faults)
        if self.mcu_fw is not None:
            CsffwRecipe(override=self.mcu_fw).content()
        if self.tyr and self.debug:
            raise usage("no kernel has both Rust and KASAN here", "drop --debug or --tyr")
        if self.keep_disk is not None and self.rootfs != "debian":
            raise usage("there is no disk to keep", "add --rootfs debian")
        if self.record and self.rootfs == "debian":
            raise usage("a guest with a disk cannot be recorded", "leave --rootfs debian out")
        for path in self.patch_paths():
            if not path.exists():
                raise usage(f"no series at {path}", "give a folder of *.patch files or an mbox")

    @property
    def boots(self) -> bool:
        """Whether guests are booted: a snapshot holds no disk, a recording begins at power-on."""
        return self.cold or self.record or self.rootfs == "debian"

    def patch_paths(self) -> tuple[Path, ...]:
        """The series to apply, in order, the mutant last."""
        series = self.series
        if series is None:
            series = (DEFAULT_SERIES,) if self.kernel is None and not self.tyr else ()
        patch = mutant_patch(self.mutant) if self.mutant else None
        return (*series, *([patch] if patch and patch.parent == MUTANTS else []))

    def firmware_mutant(self) -> Path | None:
        """The patch that breaks OP-TEE, if that is what the mutant does."""
        patch = mutant_patch(self.mutant) if self.mutant else None
        return patch if patch and patch.parent == FIRMWARE_MUTANTS else None


@dataclass(frozen=True)
class Root:
    """A disk with the guest's root file system."""

    disk: Disk
    hook: str
    """What init runs first, to mount it and bring in what belongs to the boot (guest/init)."""


def mutant_patches() -> dict[str, Path]:
    """Every mutant that is a patch, of the driver or of OP-TEE, by name."""
    return {p.stem: p for folder in (MUTANTS, FIRMWARE_MUTANTS) for p in folder.glob("*.patch")}


def mutant_patch(name: str) -> Path:
    """The patch of a mutant. Raises `RigError` (USAGE) that lists the names."""
    patches = mutant_patches()
    if name not in patches:
        raise usage(f"no mutant {name!r}", f"one of: {', '.join(sorted(patches))}")
    return patches[name]


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

    def build_all(self) -> None:
        """Every artifact, the long builds first."""
        for name in ("qemu", "image", "modules", "firmware", "rootfs", "mcu_firmware"):
            getattr(self, name)
