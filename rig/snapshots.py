# SPDX-License-Identifier: MIT
"""Snapshots of guests at their stages, kept by content; and the way to a guest at a stage.

The key holds all that the guest has seen: QEMU, Image, initramfs, firmware, the launch
line with the GPU's row, the agent's protocol, the rig's code that brought it there. Up
to `pre-insmod` no panthor, no MCU image and no fault plan: those come in after the
restore, which is the same as having been there since the start because the guest has
not touched the GPU by then (looked at whenever a snapshot is made). `probed` has all of
them in its key. A guest against which the logs have anything is not kept; a restored
one begins with the logs of its past, so that it is judged over all of its life.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rig.ahead import Ahead
from rig.artifacts.sources import files_digest
from rig.debian import provide
from rig.errors import FailureClass, RigError, infra
from rig.guest import wire
from rig.machine import snapshot
from rig.machine.launch import Flavour
from rig.paths import REPO
from rig.scenarios.kit import Scenario
from rig.session import GuestConfig, Session, Start
from rig.stages import BOOTED, PROBED, STAGES, advance, canonical, heap_parameter
from rig.store import key_of
from rig.testbed import TestBed
from rig.verdict.oracles import complaints, explained, token

WAY = ("session.py", "snapshots.py", "stages.py", "machine/snapshot.py", "scenarios/kit*.py")
"""The rig's files that decide what a guest has been through at its stage (globs)."""
KEEP_BYTES = 3 << 29
"""What all snapshots together may take on the disk; one takes about 100 MB."""
KIND = "snapshot-"
_USELESS = (FailureClass.INFRA, FailureClass.LOST, FailureClass.HANG)
"""How a restore fails when the snapshot is not good; nothing under test has run by then."""


@contextmanager
def opened(
    bed: TestBed, run_dir: Path, config: GuestConfig, stage: str = BOOTED
) -> Iterator[Session]:
    """A guest at `stage`: restored from its snapshot, or booted (`Options.cold`).

    A missing snapshot is made. One that does not come up is made again, once, and
    that is said; when the new one does not either, that is the error.
    """
    stage = canonical(stage, config.flavour)
    with ExitStack() as stack:
        provide(bed, run_dir)
        if bed.options.boots:
            session = stack.enter_context(Session(bed, run_dir, config))
            _advance(session, stage, BOOTED)
        else:
            session = _restored(stack, bed, run_dir, config, stage)
        yield session


def _restored(
    stack: ExitStack, bed: TestBed, run_dir: Path, config: GuestConfig, stage: str
) -> Session:
    shelf = Shelf(bed, run_dir)
    if isinstance(bed.ahead, Ahead) and (woken := bed.ahead.take(run_dir, config, stage)):
        return stack.enter_context(woken)
    started = time.monotonic()
    origin = shelf.get(config, stage)
    made = time.monotonic() - started
    try:
        session = stack.enter_context(Session(bed, run_dir, config, _start(origin, stage)))
    except (RigError, FileNotFoundError) as error:
        if not _useless(error):
            raise
        bed.ui.say(f"rig: the snapshot {origin} is made again: {error}")
        shelf.remove(config, stage)
        origin = shelf.get(config, stage)
        session = stack.enter_context(Session(bed, run_dir, config, _start(origin, stage)))
        made = time.monotonic() - started - session.timings["restore"]
    if made > 1.0:
        session.timings["snapshot"] = made
    return session


def _useless(error: RigError | FileNotFoundError) -> bool:
    """Whether a snapshot may be to blame: it does not come up, or another rig made room."""
    return isinstance(error, FileNotFoundError) or error.failure in _USELESS


def _start(origin: Path, stage: str) -> Start:
    return Start(origin, loaded=stage == PROBED)


@dataclass(frozen=True)
class Shelf:
    """The snapshots of one test bed in its store."""

    bed: TestBed
    run_dir: Path
    """Logs of a guest that is started to be saved go below it."""

    def get(self, config: GuestConfig, stage: str) -> Path:
        """The folder of the snapshot, made now if it is not there whole.

        Raises `RigError` as a boot does when the guest does not come so far.
        """
        inputs = self.inputs(config, stage)
        if (path := self._good(KIND + config.flavour, key_of(inputs))) is not None:
            return path
        try:
            return self._made(config, stage, inputs)
        except (RigError, FileNotFoundError) as error:
            if stage == BOOTED or not _useless(error):
                raise
            before = _before(stage, config.flavour)
            self.bed.ui.say(f"rig: no way on from the snapshot {before}, made again: {error}")
            self.remove(config, before)
            return self._made(config, stage, inputs)

    def there(self, config: GuestConfig, stage: str) -> Path | None:
        """The folder of the snapshot if it is there whole; none is made."""
        return self._good(KIND + config.flavour, key_of(self.inputs(config, stage)))

    def _made(self, config: GuestConfig, stage: str, inputs: dict[str, str]) -> Path:
        store, kind, key = self.bed.builder.store, KIND + config.flavour, key_of(inputs)
        parent = self.get(config, _before(stage, config.flavour)) if stage != BOOTED else None
        waiting = f"rig: another guest is on its way to {stage}; waiting for its snapshot"
        with ExitStack() as stack:
            stack.enter_context(store.lock(kind, on_wait=waiting))
            if (path := self._good(kind, key)) is not None:
                return path
            out = stack.enter_context(store.publishing(kind, key, inputs))
            self._make(config, stage, parent, out)
        self.bound()
        return store.path_of(kind, key)

    def remove(self, config: GuestConfig, stage: str) -> None:
        """Throw one away."""
        kind = KIND + config.flavour
        artifact = self.bed.builder.store.find(kind, key_of(self.inputs(config, stage)))
        if artifact is not None:
            self.bed.builder.store.remove(artifact)

    def _good(self, kind: str, key: str) -> Path | None:
        artifact = self.bed.builder.store.find(kind, key)
        if artifact is None:
            return None
        if snapshot.intact(artifact.path):
            return artifact.path
        self.bed.ui.say(f"rig: the snapshot {artifact.path} is damaged and is made again")
        return None

    def _make(self, config: GuestConfig, stage: str, parent: Path | None, out: Path) -> None:
        plain = stage != PROBED
        folder = self.run_dir / f"to-{stage}"
        with Session(self.bed, folder, config, Start(parent, plain, saved_again=True)) as session:
            if parent is not None:
                _advance(session, stage, _before(stage, config.flavour))
            if plain:
                _require_untouched(session)
            _require_clean(session)
            session.save(out)
        snapshot.seal(out)
        shutil.rmtree(folder)

    def inputs(self, config: GuestConfig, stage: str) -> dict[str, str]:
        """All that a guest at `stage` has seen, as strings."""
        bed = self.bed
        session = Session(bed, Path("run"), config, Start(plain=stage != PROBED))
        spec = session.spec()
        line = replace(
            spec, qemu=Path("qemu"), kernel=Path("Image"), flash=spec.flash and Path("flash")
        )
        inputs = {
            "way": files_digest(sorted(p for name in WAY for p in (REPO / "rig").glob(name))),
            "stage": stage,
            "agent": str(wire.VERSION),
            "machine": shlex.join(line.argv()),
            "qemu": bed.qemu.name,
            "image": bed.image.name,
            "rootfs": bed.rootfs.parent.name,
            "firmware": bed.firmware.name if config.flavour == "secure" else "",
        }
        if stage == PROBED:  # the fault plan is in the launch line
            inputs["modules"] = bed.modules.name
            inputs["panthor"] = bed.panthor.build_id
            inputs["parameter"] = repr(heap_parameter(bed, config.flavour))
            inputs["mcu"] = hashlib.sha256(session.mcu_firmware).hexdigest()
        return inputs

    def bound(self) -> None:
        """The least recently used snapshots go until the rest takes at most `KEEP_BYTES`."""
        store = self.bed.builder.store
        with suppress(FileNotFoundError):  # another rig makes room at the same time
            found = [a for a, _used in store.artifacts() if a.name.startswith(KIND)]
            sizes = {artifact.path: artifact.size for artifact in found}
            for artifact in found[:-1]:
                if sum(sizes.values()) <= KEEP_BYTES:
                    return
                if store.discard(artifact):
                    del sizes[artifact.path]


def _before(stage: str, flavour: Flavour) -> str:
    return canonical(STAGES[STAGES.index(stage) - 1], flavour)


def _advance(session: Session, stage: str, since: str) -> None:
    """On to `stage`; a failure together with what the logs know of its cause."""
    try:
        advance(Scenario(session), stage, since)
    except RigError as error:
        if not session.vm.pid:
            raise
        raise explained(error, session, complaints(session, ())) from error


def _require_clean(session: Session) -> None:
    """What the logs have against this guest is its verdict; it must not become that of others."""
    token(session, session.shell)
    if found := complaints(session, ()):
        raise RigError(found[0].failure, found[0].sentence, log=session.vm.spec.console_log)


def _require_untouched(session: Session) -> None:
    """The GPU is as it was at power-on: only then may faults and firmware come in later."""
    reads, events = session.counter("mmio-reads"), session.gpu.read()
    if reads or events:
        raise infra(
            f"the guest used its GPU before panthor was loaded ({reads} register reads, "
            f"{len(events)} events): it cannot start from a snapshot",
            "run with --cold",
        )
