# SPDX-License-Identifier: MIT
"""The secure world: OP-TEE, Trusted Firmware-A and our BL33 in one flash image.

Artifact: `flash.bin` (BL1 at 0, FIP at 256 KiB; for QEMU's `-bios` on
``-machine virt,secure=on,gic-version=3``) and, for gdb, `bl31.elf`, `tee.elf`,
`bl33.elf`. The switches and what each avoids were measured; docs/secure-world.md
has the numbers. Builds are reproducible: same inputs, same bytes, wherever the
store is.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rig.artifacts.patches import digest, patched_copy, synced_copy
from rig.artifacts.recipe import Builder, Job, Recipe, tool_version
from rig.artifacts.sources import SourceSpec, SourceTree, files_digest
from rig.paths import REPO

FLASH = Path("flash.bin")
MAX_CPUS = 8
"""OP-TEE hangs at the start of a machine with more; TF-A's platform stops at 8 a cluster."""
POOL_BYTES = 16 << 20
"""Protected memory that Linux lends in one piece; all protected buffers share it."""

CROSS = "aarch64-linux-gnu-"
EPOCH = "1767225600"
BUILT = "reproducible build"

OPTEE_SWITCHES: Mapping[str, str] = {
    "PLATFORM": "vexpress-qemu_armv8a",
    "CROSS_COMPILE": CROSS,
    "CROSS_COMPILE32": "/nonexistent/arm-",  # no 32-bit compiler; nothing may reach for one
    "CFG_ARM64_core": "y",
    "CFG_USER_TA_TARGETS": "ta_arm64",
    "DEBUG": "0",
    "CFG_ARM_GICV3": "y",
    "CFG_TEE_CORE_LOG_LEVEL": "3",  # the protect_mem/restore_mem lines, our oracle
    "CFG_TEE_CORE_NB_CORE": str(MAX_CPUS),  # default 4: `-smp 8` hangs
    "CFG_CORE_RESERVED_SHM": "n",  # default: 2 MiB at 0x42000000, in the way of a large Image
    "CFG_CORE_ASLR": "n",  # gdb finds tee.elf where it was linked
    "CFG_SECURE_DATA_PATH": "y",
    "CFG_CORE_DYN_PROTMEM": "y",
    "CFG_QEMU_PROTMEM_SIZE": hex(POOL_BYTES),  # our patch
    "CFG_TZC400": "y",  # what closes it; QEMU must have `-device tzc400`
    "CFG_ENABLE_EMBEDDED_TESTS": "n",  # default: a secure timer interrupt every second
    "CFG_DT_DRIVER_EMBEDDED_TEST": "n",
    "CFG_PKCS11_TA": "n",
    "CFG_IN_TREE_EARLY_TAS": "rig/7f1c0b52-36d4-4f0e-9a86-2c53a1d4e9b7",  # firmware/ta, no disk
    "TEE_IMPL_GIT_SHA1": "0x0",  # else that of whatever repository the store lies in
}
TFA_SWITCHES: Mapping[str, str] = {
    "PLAT": "qemu",
    "CROSS_COMPILE": CROSS,
    "DEBUG": "0",
    "SPD": "opteed",
    "NEED_BL32": "yes",
    "QEMU_USE_GIC_DRIVER": "QEMU_GICV3",
    "CRASH_REPORTING": "1",  # default in a release build: an exception in EL3 hangs in silence
    "BUILD_STRING": "panthor-rig",
    "BUILD_MESSAGE_TIMESTAMP": f'"{BUILT}"',
}
TEE_FILES = ("tee-header_v2.bin", "tee-pager_v2.bin", "tee-pageable_v2.bin")


@dataclass(frozen=True)
class _Part:
    """One of the two projects that we fetch and patch."""

    label: str
    spec: SourceSpec
    mutant: Path | None = None

    @property
    def patches(self) -> tuple[Path, ...]:
        ours = sorted((REPO / "firmware" / "patches" / self.label).glob("*.patch"))
        return (*ours, *([self.mutant] if self.mutant else []))


class FirmwareRecipe(Recipe):
    """`flash.bin` and its ELF files; `optee` and `tfa` are trees of the user's own.

    `mutant`: one more patch, which breaks OP-TEE on purpose.
    """

    name: ClassVar[str] = "firmware"
    version: ClassVar[int] = 1

    def __init__(
        self, *, optee: Path | None = None, tfa: Path | None = None, mutant: Path | None = None
    ) -> None:
        self.optee = _Part(
            "optee", SourceSpec("optee-os", "4.", ("sid", "forky"), override=optee), mutant
        )
        self.tfa = _Part(
            "tfa", SourceSpec("arm-trusted-firmware", "2.12.", ("trixie",), override=tfa)
        )
        self.bl33 = REPO / "firmware" / "bl33"
        self.ta = REPO / "firmware" / "ta"

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """Sources, patches, BL33, switches and tools."""
        return {
            "optee": builder.sources.tree(self.optee.spec).digest,
            "optee patches": digest(self.optee.patches),
            "optee switches": _words(OPTEE_SWITCHES),
            "tfa": builder.sources.tree(self.tfa.spec).digest,
            "tfa patches": digest(self.tfa.patches),
            "tfa switches": _words(TFA_SWITCHES),
            "bl33": files_digest(_files(self.bl33)),
            "trusted application": files_digest(_files(self.ta)),
            "tools": _tools(),
        }

    def build(self, job: Job) -> None:
        """OP-TEE, then BL33 (it needs TF-A's libfdt), then TF-A, which packs all three."""
        job.env |= {"SOURCE_DATE_EPOCH": EPOCH, "LC_ALL": "C"}
        # cryptography insists on OpenSSL's legacy provider, which we do not need
        job.env["CRYPTOGRAPHY_OPENSSL_NO_LEGACY"] = "1"
        tee = self._build_optee(job)
        source, tree = self._source(job, self.tfa)
        bl33 = self._build_bl33(job, source)
        boot = _build_tfa(job, source, _out(job, "tfa", tree), tee, bl33)
        shutil.copyfile(boot / "qemu_fw.bios", job.out / FLASH)
        for elf in (tee / "tee.elf", bl33 / "bl33.elf", boot / "bl31" / "bl31.elf"):
            shutil.copyfile(elf, job.out / elf.name)

    def _source(self, job: Job, part: _Part) -> tuple[Path, SourceTree]:
        tree = job.builder.sources.tree(part.spec)
        copy = _place(job, part.label, tree) / "source"
        copy.parent.mkdir(parents=True, exist_ok=True)
        patched_copy(tree.path, tree.digest, copy, part.patches)
        return copy, tree

    def _build_optee(self, job: Job) -> Path:
        source, tree = self._source(job, self.optee)
        synced_copy(self.ta, source / "ta" / "rig")
        out = _out(job, "optee", tree) / "core"
        # a count of the builds in this folder goes into the banner: always the first
        (out / ".buildcount").unlink(missing_ok=True)
        switches = {**OPTEE_SWITCHES, "TEE_IMPL_VERSION": _upstream(tree.version)}
        goals = [str(out / name) for name in ("tee.elf", *TEE_FILES)]
        argv = [*_make(switches), f"O={out.parent}", *goals]
        job.run(argv, cwd=source, what="compiling OP-TEE", steps=1000)
        return out

    def _build_bl33(self, job: Job, tfa: Path) -> Path:
        source = synced_copy(self.bl33, job.work / "bl33" / "source")
        out = _fresh(job.work / "bl33" / "out", f"{_tools()} {tfa}")
        switches = {"CROSS_COMPILE": CROSS, "TFA": str(tfa), "O": str(out)}
        job.run([*_make(switches), "-C", source], what="compiling BL33")
        return out


def _build_tfa(job: Job, source: Path, out: Path, tee: Path, bl33: Path) -> Path:
    boot = out / "qemu" / "release"
    for stale in ("fip.bin", "qemu_fw.bios"):  # make does not follow what goes into them
        (boot / stale).unlink(missing_ok=True)
    payloads = dict(zip(("BL32", "BL32_EXTRA1", "BL32_EXTRA2"), TEE_FILES, strict=True))
    images = {key: str(tee / name) for key, name in payloads.items()}
    switches = {**TFA_SWITCHES, **images, "BL33": str(bl33 / "bl33.bin"), "BUILD_BASE": str(out)}
    argv = [*_make(switches), "bl1", "bl2", "bl31", "fip", "qemu_fw.bios"]
    # TF_CFLAGS only appends: line numbers for gdb in a release build
    env = {"TF_CFLAGS": "-g"}
    job.run(argv, cwd=source, env=env, what="compiling Trusted Firmware-A", steps=230)
    return boot


def _make(switches: Mapping[str, str]) -> list[str]:
    jobs = len(os.sched_getaffinity(0))
    return ["make", f"-j{jobs}", *(f"{key}={value}" for key, value in switches.items())]


def _place(job: Job, label: str, tree: SourceTree) -> Path:
    """One work folder a version, so that going back and forth stays incremental."""
    return job.work / f"{label}-{_upstream(tree.version)}"


def _out(job: Job, label: str, tree: SourceTree) -> Path:
    switches = OPTEE_SWITCHES if label == "optee" else TFA_SWITCHES
    return _fresh(_place(job, label, tree) / "out", f"{_tools()} {_words(switches)}")


def _fresh(out: Path, stamp: str) -> Path:
    """`out`, emptied when the compiler or a switch changed: make does not look at those."""
    record = out.with_name(out.name + ".stamp")
    if not record.is_file() or record.read_text() != stamp:
        shutil.rmtree(out, ignore_errors=True)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(stamp)
    out.mkdir(exist_ok=True)
    return out


def _upstream(version: str) -> str:
    """``4.10.0-2`` -> ``4.10.0``; ``own`` for a tree of the user's."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)+)", version)
    return match[1] if match else "own"


def _words(switches: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in switches.items())


@functools.cache
def _tools() -> str:
    return "; ".join(tool_version(f"{CROSS}{tool}", "--version") for tool in ("gcc", "ld"))


def _files(folder: Path) -> Sequence[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_file()]
