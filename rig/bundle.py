# SPDX-License-Identifier: MIT
"""What every run leaves behind for those who come later, as JSON: the one source of all reports.

`run.json` lies in the folder of a run and says what was tested on what, by content;
`guest.json` lies in each guest's folder and says what a scenario wanted and got. The
logs beside them are the guest's own: console.log, secure.log, gpu-events.jsonl,
firewall-events.jsonl, journal.jsonl (what the rig did), qemu.log, qemu.cmdline.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rig.artifacts.sources import files_digest
from rig.errors import FailureClass, infra, usage
from rig.kernel.patches import load_series
from rig.kernel.repo import Tree
from rig.leftovers import SCRATCH
from rig.machine.launch import Soc
from rig.paths import REPO
from rig.testbed import Options, Rootfs, TestBed
from rig.ui import Reporter
from rig.verdict.klog import Expected
from rig.verdict.verdict import Note, Outcome, Verdict

RUN, GUEST, MATRIX = "run.json", "guest.json", "matrix.json"
SCHEMA = 2
PARTS: Mapping[str, tuple[str, str]] = {
    "qemu": ("qemu", ""),
    "image": ("image", ""),
    "modules": ("modules", ""),
    "firmware": ("firmware", ""),
    "rootfs": ("rootfs", "rootfs.cpio"),
    "mcu_firmware": ("csffw", "mali_csffw.bin"),
}
"""Attribute of the test bed -> kind in the store, and the file in the folder that it names."""
_SAME = ("gpu", "soak", "firewall", "cold", "coherent", "soc", "rootfs", "debug")
"""Options of the same name that a bundle is opened with again."""
_S = TypeVar("_S", bound=msgspec.Struct)


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
    """Arguments of `rig` that choose all this."""
    firewall: bool = True
    cold: bool = False
    """Guests were booted, not restored from snapshots."""
    coherent: bool = False
    soc: Soc = "rk3588"
    rootfs: Rootfs = "initramfs"
    debug: bool = False


class Row(msgspec.Struct):
    """One verdict of a run."""

    scenario: str
    outcome: str
    sentence: str
    failure: str | None
    seconds: float
    stages: dict[str, float]
    folder: str | None
    """The guest's folder below the run's."""
    notes: list[Note] = []


class Run(msgspec.Struct):
    """run.json."""

    argv: list[str]
    """The command."""
    started: float
    """s since the epoch."""
    inputs: Inputs
    wanted: list[str]
    """Scenarios that were chosen; those without a row were not finished."""
    rows: list[Row] = []
    seconds: float = 0.0
    timings: dict[str, float] = {}
    """Stage before the guests -> s."""
    reviews: dict[str, tuple[str, ...]] = {}
    """Scenario -> review findings that it speaks to."""
    schema: int = SCHEMA


class Cell(msgspec.Struct):
    """One verdict of a matrix."""

    scenario: str
    outcome: str
    sentence: str
    failure: str | None
    reused: bool = False
    """Found before on the same content; no guest was booted."""
    signature: str | None = None
    fresh: bool = False
    """A failure that this row brought in."""
    wanted: str = ""
    """What it had to be (mutants); empty when nothing was foretold."""
    good: bool = True
    run_dir: str | None = None
    notes: list[Note] = []


class Line(msgspec.Struct):
    """One row of a matrix: a patch of a series, or a mutant."""

    name: str
    title: str
    cells: list[Cell]
    contract: str = ""
    build_s: float = 0.0
    run_s: float = 0.0
    reviews: tuple[str, ...] = ()
    """Review findings that a mutant has."""


class Matrix(msgspec.Struct):
    """matrix.json: patch by scenario, or mutant by scenario."""

    kind: str
    """series or teeth."""
    title: str
    argv: list[str]
    started: float
    lines: list[Line] = []
    seconds: float = 0.0
    rig: str = ""
    """The rig's version and the digest of its code."""
    schema: int = SCHEMA


class Guest(msgspec.Struct):
    """guest.json."""

    scenario: str
    file: str
    """The scenario's file, below the rig's own folder."""
    flavour: str
    faults: dict[str, int]
    memory_mib: int
    smp: int
    outcome: str = ""
    """Empty while it runs."""
    sentence: str = ""
    failure: str | None = None
    expected: list[Expected] = []
    """Kernel lines that the scenario provokes on purpose."""
    complaints: list[str] = []
    """What the logs and the device had against a pass."""
    where: list[str] = []
    """Lines of the scenario that led to the failure, the failing one last."""
    stage: str = "booted"
    """Where the scenario starts."""
    snapshot: str = ""
    """Key in the store of the snapshot that the guest was restored from; empty: it was booted."""
    schema: int = SCHEMA


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
    """The command line's form of `options`."""
    out: list[str] = []
    for name in ("kernel", "mutant", "contract", "qemu_src", "tfa_src", "optee_src", "mcu_fw"):
        value = getattr(options, name)
        if value is not None:
            out += [f"--{name.replace('_', '-')}", str(value)]
    for path in options.series or ():
        out += ["--series", str(path)]
    if options.series == ():
        out.append("--no-series")
    out += [f"--{name}" for name in ("cold", "coherent", "net", "debug") if getattr(options, name)]
    for fault, value in options.faults:
        out += ["--fault", f"{fault}={value}"]
    if not options.firewall:
        out += ["--firewall", "off"]
    plain = Options()
    for name in ("gpu", "soc", "rootfs"):
        if (value := getattr(options, name)) != getattr(plain, name):
            out += [f"--{name}", value]
    return out


def begin(bed: TestBed, run_dir: Path, wanted: Mapping[str, tuple[str, ...]]) -> Run:
    """Write run.json before the first guest: a run that is killed still says what it was.

    `wanted`: scenario -> the review findings that it speaks to.
    """
    reviews = {scenario: ids for scenario, ids in wanted.items() if ids}
    argv = ["rig", *sys.argv[1:]]
    run = Run(argv, time.time(), inputs_of(bed), list(wanted), reviews=reviews)
    save(run_dir / RUN, run)
    return run


def finish(run: Run, run_dir: Path, verdicts: Sequence[Verdict], seconds: float) -> None:
    """Write the verdicts."""
    run.rows = [_row(verdict, run_dir) for verdict in verdicts]
    run.seconds = seconds
    save(run_dir / RUN, run)


def _row(verdict: Verdict, run_dir: Path) -> Row:
    folder = verdict.run_dir
    inside = folder is not None and folder.is_relative_to(run_dir)
    return Row(
        verdict.scenario,
        verdict.outcome.value,
        verdict.sentence,
        verdict.failure.name if verdict.failure else None,
        round(verdict.seconds, 3),
        {name: round(seconds, 3) for name, seconds in verdict.stages.items()},
        str(folder.relative_to(run_dir)) if folder is not None and inside else None,
        list(verdict.notes),
    )


def verdict_of(row: Row, run_dir: Path) -> Verdict:
    """A row as the verdict it came from."""
    return Verdict(
        row.scenario,
        Outcome(row.outcome),
        row.sentence,
        FailureClass[row.failure] if row.failure else None,
        row.seconds,
        row.stages,
        run_dir / row.folder if row.folder else None,
        tuple(row.notes),
    )


def save(path: Path, record: msgspec.Struct) -> None:
    """Write a record; a reader finds the old one or the new one, never half of it."""
    scratch = path.with_suffix(SCRATCH)
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    scratch.rename(path)


def load(path: Path, kind: type[_S]) -> _S:
    """Read a record. Raises `RigError`: USAGE when there is none, INFRA when it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as exc:
        raise usage(f"{path.parent} is no run of this rig: it has no {path.name}") from exc
    except msgspec.MsgspecError as exc:
        raise infra(f"{path} is damaged or of another version of the rig: {exc}") from exc


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
        raise usage(
            f"the store has no more {', '.join(gone)} of this run",
            f"if its inputs are still what they were: "
            f"{shlex.join(['rig', 'build', *gone, *inputs.options])}",
        )
    return bed
