# SPDX-License-Identifier: MIT
"""What the user chose, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rig.artifacts.csffw import CsffwRecipe
from rig.errors import usage
from rig.gpu.rows import gpu_row, require_faults
from rig.kernel.contract import by_name
from rig.kernel.repo import require_kernel
from rig.machine.launch import Soc
from rig.paths import REPO

SERIES = REPO / "kernel_config" / "series"
MUTANTS = REPO / "kernel_config" / "mutants"
FIRMWARE_MUTANTS = REPO / "firmware" / "mutants"
DEFAULT_SERIES = SERIES / "heap-name"

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


def mutant_patches() -> dict[str, Path]:
    """Every mutant that is a patch, of the driver or of OP-TEE, by name."""
    return {p.stem: p for folder in (MUTANTS, FIRMWARE_MUTANTS) for p in folder.glob("*.patch")}


def mutant_patch(name: str) -> Path:
    """The patch of a mutant. Raises `RigError` (USAGE) that lists the names."""
    patches = mutant_patches()
    if name not in patches:
        raise usage(f"no mutant {name!r}", f"one of: {', '.join(sorted(patches))}")
    return patches[name]
