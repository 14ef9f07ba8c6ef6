# SPDX-License-Identifier: MIT
"""Verdicts on states of a kernel tree, kept by content: what `series`, `bisect`, `verdict` share.

A verdict is kept in the store under everything it depends on: the Image's key, the
code of panthor.ko and of our helper module, QEMU, firmware, userland, MCU image,
device options, how guests start (`--cold`), the scenario's file and the rig's own
code. A state whose panthor.ko is the same code (a comment, another driver) thus needs
no guest. A verdict that the rig could not find (ERROR) is never kept, nor is a HANG: a
busy machine looks the same, and the next run may tell.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rig.artifacts.sources import files_digest
from rig.catalogue import FOLDER, Entry, entries
from rig.errors import FailureClass, RigError, infra
from rig.kernel.module import code_digest
from rig.kernel.repo import KernelRepo, Tree
from rig.kernel.warnings import Compiled, read
from rig.paths import REPO
from rig.runner import RunResult, expecting, run
from rig.store import Store, key_of
from rig.testbed import TestBed
from rig.verdict.verdict import Note, NoteKind, Outcome, Verdict, outcome_of

KIND = "verdict"
_PINNED = (REPO / "rig", REPO / "guest", REPO / "kernel_config" / "fragments")
"""What a search reads again at each state; QEMU, firmware and userland are built once."""
_FILE = "verdict.json"
_NO_PART = ("cli", "report")  # what a verdict does not depend on
_LOOPS = ("states.py", "series.py", "bisect.py")
Run = Callable[[TestBed, Sequence[Entry], Path], RunResult]


@dataclass(frozen=True)
class State:
    """One state of the tree under test: a patch of a series, or a revision."""

    name: str
    """Number of the patch (0: the base), or the commit."""
    title: str
    tree: Tree | None
    refusal: RigError | None = None
    """Why there is no tree: a patch does not apply."""


@dataclass(frozen=True)
class Judged:
    """One verdict on one state."""

    verdict: Verdict
    reused: bool = False
    """Found before, on the same content; no guest was booted."""


@dataclass(frozen=True)
class Ruling:
    """All chosen scenarios on one state."""

    state: State
    judged: tuple[Judged, ...]
    contract: str = ""
    """What the built module speaks; empty when nothing was built."""
    build_s: float = 0.0
    run_s: float = 0.0
    compiled: Compiled = field(default_factory=Compiled)
    """What its build compiled, and the compiler's words."""


class Pin:
    """The rig as it was when a search began.

    What is edited halfway must not be taken for an effect of a patch.
    """

    def __init__(self, roots: Sequence[Path] = _PINNED) -> None:
        self._roots = roots
        self._begin = self._now()

    def check(self) -> None:
        """Raise `RigError` (INFRA) when a file of the rig is another than at the beginning."""
        now = self._now()
        changed = sorted(path for path, _ in self._begin.items() ^ now.items())
        if changed:
            raise infra(
                f"{changed[0]} of the rig was changed while it searched",
                "the same command again; verdicts found with another rig do not count for it",
            )

    def _now(self) -> dict[Path, bytes]:
        files = (path for root in self._roots for path in root.rglob("*") if path.is_file())
        return {
            path: hashlib.sha256(path.read_bytes()).digest()
            for path in files
            if path.suffix != ".pyc"
        }


class Referee:
    """Builds states on one machine and has scenarios judged, or recalls their verdicts."""

    def __init__(
        self,
        bed: TestBed,
        run_dir: Path,
        *,
        repo: KernelRepo | None = None,
        since: float = 0.0,
        runner: Run = run,
    ) -> None:
        """`since`: kept verdicts found before it (s since the epoch) do not count."""
        self.bed, self.run_dir, self.since = bed, run_dir, since
        self._repo, self._runner = repo, runner
        self._pin = Pin()

    def rule(self, state: State, chosen: Sequence[Entry], turn: int = 1) -> Ruling:
        """Verdicts on a state. `turn` counts the independent runs of the same content.

        What cannot be built or does not apply is a verdict (125) on every scenario.
        Raises `RigError` when the rig itself fails.
        """
        self._pin.check()
        started = time.monotonic()
        with ExitStack() as stack:
            try:
                bed = self._built(stack, state, chosen, turn)
            except RigError as error:
                if error.failure.exit_code >= FailureClass.INFRA.exit_code:
                    raise
                refused = tuple(Judged(_refused(entry, error)) for entry in chosen)
                return Ruling(state, refused, build_s=time.monotonic() - started)
            built = time.monotonic()
            judged = self._judge(bed, state, chosen, turn)
        name = bed.contract.contract.name
        spent = built - started, time.monotonic() - built
        return Ruling(state, judged, name, *spent, self._compiled(bed))

    @staticmethod
    def _compiled(bed: TestBed) -> Compiled:
        folder = bed.builder.store.root / "logs"
        names = f"image-{bed.image.name}.log", f"modules-{bed.modules.name}.log"
        return read([folder / name for name in names], bed.repo.worktree)

    def _built(self, stack: ExitStack, state: State, chosen: Sequence[Entry], turn: int) -> TestBed:
        """`stack`: what takes down the guest that is restored meanwhile, if nobody runs it."""
        if state.tree is None:
            raise state.refusal or RigError(FailureClass.BUILD, f"{state.name} has no tree")
        bed = self.bed.at(state.tree, self._repo)
        if self._runner is run:
            stack.enter_context(expecting(bed, chosen, self._folder(state, turn)))
        bed.build_all()
        bed.require_contract()
        return bed

    def _judge(
        self, bed: TestBed, state: State, chosen: Sequence[Entry], turn: int
    ) -> tuple[Judged, ...]:
        store = bed.builder.store
        inputs = {entry.id: inputs_of(bed, entry, turn) for entry in chosen}
        found: dict[str, Judged] = {}
        for entry in chosen:
            key = key_of(inputs[entry.id])
            kept = _recall(store, key, self.since)
            if kept is not None:
                found[entry.id] = Judged(kept, reused=True)
        missing = [entry for entry in chosen if entry.id not in found]
        if missing:
            folder = self._folder(state, turn)
            for verdict in self._runner(bed, missing, folder).verdicts:
                found[verdict.scenario] = Judged(verdict)
                key = key_of(inputs[verdict.scenario])
                _keep(store, key, inputs[verdict.scenario], verdict)
        return tuple(found[entry.id] for entry in chosen)

    def _folder(self, state: State, turn: int) -> Path:
        folder = self.run_dir / (state.name[:12] + (f".{turn}" if turn > 1 else ""))
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _refused(entry: Entry, error: RigError) -> Verdict:
    return Verdict(entry.id, outcome_of(error.failure), error.message, error.failure)


def inputs_of(bed: TestBed, entry: Entry, turn: int = 1) -> dict[str, str]:
    """Everything that one verdict depends on; `turn` is the number of an independent run."""
    built = bed.modules / "root"
    modules = sorted(p for name in ("panthor.ko", "righeap.ko") for p in built.rglob(name))
    options = bed.options
    return {
        "scenario": entry.id,
        "turn": str(turn),
        "image": bed.image.name,
        **{path.name: code_digest(path) for path in modules},
        "qemu": bed.qemu.name,
        "firmware": bed.firmware.name,
        "rootfs": bed.rootfs.parent.name,
        "mcu": bed.mcu_firmware.parent.name,
        "start": f"{'boot' if options.boots else 'snapshot'} {options.rootfs} {options.net}"
        + " icount" * options.icount
        + " record" * options.record,
        "device": (
            f"{options.gpu} {options.coherent} {options.soc} {sorted(options.faults)} "
            f"firewall={options.firewall}"
        ),
        "file": files_digest([entry.file]),
        "rig": _rig_digest(),
    }


@cache
def _rig_digest() -> str:
    """The rig's own code but its commands, reports and the scenarios (each counts for itself)."""
    root = REPO / "rig"
    families = {entry.file for entry in entries(FOLDER)}
    return files_digest(
        [
            file
            for file in sorted(root.rglob("*.py"))
            if file.relative_to(root).parts[0] not in (*_NO_PART, *_LOOPS) and file not in families
        ]
    )


def _recall(store: Store, key: str, since: float) -> Verdict | None:
    artifact = store.find(KIND, key)
    if artifact is None:
        return None
    kept = json.loads((artifact.path / _FILE).read_text())
    if kept.get("when", 0.0) < since:
        return None
    failure = FailureClass[kept["failure"]] if kept["failure"] else None
    logs = Path(kept["run_dir"]) if kept["run_dir"] else None
    return Verdict(
        kept["scenario"], Outcome(kept["outcome"]), kept["sentence"], failure, kept["seconds"],
        run_dir=logs if logs is not None and logs.exists() else None,
        notes=tuple(Note(NoteKind(kind), text) for kind, text in kept["notes"]),
    )  # fmt: skip


def _keep(store: Store, key: str, inputs: dict[str, str], verdict: Verdict) -> None:
    if verdict.outcome is Outcome.ERROR or verdict.failure is FailureClass.HANG:
        return
    document = {
        "when": time.time(),
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "failure": verdict.failure.name if verdict.failure else None,
        "sentence": verdict.sentence,
        "seconds": verdict.seconds,
        "run_dir": str(verdict.run_dir) if verdict.run_dir else None,
        "notes": [(note.kind.value, note.text) for note in verdict.notes],
    }
    with store.lock(KIND), store.publishing(KIND, key, inputs) as out:
        (out / _FILE).write_text(json.dumps(document, indent=1) + "\n")


def stop_if_rig_failed(judged: Judged) -> Judged:
    """Raise `RigError` when the verdict is that the rig itself failed: no state is to blame."""
    failure = judged.verdict.failure
    if failure is not None and failure.exit_code >= FailureClass.INFRA.exit_code:
        raise RigError(
            failure, f"{judged.verdict.scenario}: {judged.verdict.sentence}",
            hint="verdicts found so far are kept; the same command goes on from them",
            log=judged.verdict.run_dir,
        )  # fmt: skip
    return judged
