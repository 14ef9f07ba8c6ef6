# SPDX-License-Identifier: MIT
"""Everything that decides a verdict, by content: read off a test bed, and made one again."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from rig.artifacts.sources import files_digest
from rig.errors import usage
from rig.kernel.patches import load_series
from rig.kernel.repo import Tree
from rig.machine.launch import Soc
from rig.options import Options, Rootfs
from rig.paths import REPO
from rig.testbed import TestBed
from rig.ui import Reporter

PARTS: Mapping[str, tuple[str, str]] = {
    "qemu": ("qemu", ""),
    "image": ("image", ""),
    "modules": ("modules", ""),
    "firmware": ("firmware", ""),
    "rootfs": ("rootfs", "rootfs.cpio"),
    "mcu_firmware": ("csffw", "mali_csffw.bin"),
}
"""Attribute of the test bed -> kind in the store, and the file in the folder that it names."""
_SAME = ("gpu", "soak", "firewall", "cold", "coherent", "soc", "rootfs", "debug", "icount",
         "record", "tyr")  # fmt: skip
"""Options of the same name that a bundle is opened with again."""
_RUN_ONLY = frozenset({"--icount", "--record", "--soak"})
"""Flags of `rig run` that no artifact depends on: `rig build` has none of them."""


class PatchSet(msgspec.Struct):
    """A series that was applied."""

    path: str
    digest: str
    """SHA-256 over the diffs, in order."""
    subjects: list[str]


class Inputs(msgspec.Struct):
    """Everything that decides a verdict, by content."""

    rig: str
    """The rig's version and the digest of its code."""
    tree: str
    """git tree id of the kernel."""
    label: str
    contract: str
    why: str
    """How the contract was told."""
    build_id: str
    """Of panthor.ko."""
    patches: list[PatchSet]
    gpu: str
    faults: dict[str, int]
    soak: bool
    artifacts: dict[str, str]
    """Part, as `rig build` calls it -> content key."""
    options: list[str]
    """Arguments of `rig run` that choose all this."""
    firewall: bool = True
    cold: bool = False
    """Guests were booted, not restored from snapshots."""
    coherent: bool = False
    soc: Soc = "rk3588"
    rootfs: Rootfs = "initramfs"
    debug: bool = False
    icount: bool = False
    record: bool = False
    tyr: bool = False


@cache
def rig_version() -> str:
    """Version and digest of the rig's own code."""
    digest = files_digest(sorted((REPO / "rig").rglob("*.py")))
    return f"{metadata.version('panthor-rig')} {digest[:12]}"


def inputs_of(bed: TestBed) -> Inputs:
    """The inputs of a bed whose artifacts are built."""
    options = bed.options
    return Inputs(
        rig=rig_version(),
        tree=bed.tree.id,
        label=bed.tree.label,
        contract=bed.contract.contract.name,
        why=bed.contract.why,
        build_id=bed.panthor.build_id,
        patches=[_patch_set(path) for path in options.patch_paths()],
        gpu=options.gpu,
        faults=dict(options.faults),
        coherent=options.coherent,
        soc=options.soc,
        rootfs=options.rootfs,
        debug=options.debug,
        icount=options.icount,
        record=options.record,
        tyr=options.tyr,
        soak=options.soak,
        firewall=options.firewall,
        artifacts={part: _folder(bed, part).name for part in PARTS},
        options=arguments_of(options),
        cold=options.cold,
    )


def _folder(bed: TestBed, part: str) -> Path:
    path: Path = getattr(bed, part)
    return path.parent if PARTS[part][1] else path


def _patch_set(path: Path) -> PatchSet:
    patches = load_series(path)
    digest = hashlib.sha256(b"\0".join(patch.diff for patch in patches)).hexdigest()
    return PatchSet(str(path), digest, [patch.subject for patch in patches])


def arguments_of(options: Options) -> list[str]:
    """The command line's form of `options`, for `rig run`."""
    out: list[str] = []
    for name in ("kernel", "mutant", "contract", "qemu_src", "tfa_src", "optee_src", "mcu_fw"):
        value = getattr(options, name)
        if value is not None:
            out += [f"--{name.replace('_', '-')}", str(value)]
    for path in options.series or ():
        out += ["--series", str(path)]
    if options.series == ():
        out.append("--no-series")
    flags = ("cold", "coherent", "net", "debug", "tyr", "icount", "record", "soak")
    out += [f"--{name}" for name in flags if getattr(options, name)]
    for fault, value in options.faults:
        out += ["--fault", f"{fault}={value}"]
    if not options.firewall:
        out += ["--firewall", "off"]
    plain = Options()
    for name in ("gpu", "soc", "rootfs"):
        if (value := getattr(options, name)) != getattr(plain, name):
            out += [f"--{name}", value]
    return out


def reopen(inputs: Inputs, ui: Reporter) -> TestBed:
    """The machine and kernel of a bundle, from the store; nothing is built.

    Raises `RigError` (USAGE) that names what is gone and the command that makes it again.
    """
    kept: dict[str, Any] = {name: getattr(inputs, name) for name in _SAME}
    bed = TestBed(Options(faults=tuple(inputs.faults.items()), **kept), ui)
    bed.tree = Tree(inputs.tree, inputs.label)
    gone = []
    for part, (kind, file) in PARTS.items():
        artifact = bed.builder.store.find(kind, inputs.artifacts[part])
        if artifact is None:
            gone.append(part)
        else:
            setattr(bed, part, artifact.path / file if file else artifact.path)
    if gone:
        build = ["rig", "build", *gone, *(w for w in inputs.options if w not in _RUN_ONLY)]
        raise usage(
            f"the store has no more {', '.join(gone)} of this run",
            f"if its inputs are still what they were: {shlex.join(build)}",
        )
    return bed
