# SPDX-License-Identifier: MIT
"""A guest's state in a folder, and back: QEMU's migration with the RAM left in its file.

The state file holds the devices and the RAM that has no file (flash, secure RAM);
with `x-ignore-shared` the guest's RAM stays where it is, and a restored guest maps
that file copy-on-write. Any number of guests may run from one folder; none writes to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from rig.errors import infra
from rig.machine.qmp import Qmp
from rig.machine.vm import Vm

RAM = "ram"
STATE = "state"
SUMS = "sums.json"
LOGS = ("console.log", "secure.log", "gpu-events.jsonl", "firewall-events.jsonl")
"""What the guest and the device said up to the snapshot: a restored guest goes on from there."""
MIGRATE_S = 30.0
_BLOCK = 1 << 20
_ENDS = ("completed", "failed", "cancelled")
_SEEN = "verified"


def save(vm: Vm, folder: Path) -> None:
    """Stop the guest and put it into `folder`, which must be on the RAM file's file system.

    The guest must not run on: its RAM file is the snapshot's from here on. Close
    the connection to its agent first. `seal()` the folder once QEMU has ended.
    """
    vm.qmp.stop()
    vm.qmp.execute_with("migrate-set-parameters", {"max-bandwidth": 1 << 40})
    _migrate(vm.qmp, "migrate", {"uri": f"file:{folder / STATE}"})
    os.link(vm.spec.ram_file, folder / RAM)
    for name in LOGS:
        if (vm.spec.run_dir / name).exists():
            shutil.copyfile(vm.spec.run_dir / name, folder / name)


def seal(folder: Path) -> None:
    """Write down the checksums of everything that is in the folder by now."""
    names = sorted(path.name for path in folder.iterdir())
    (folder / SUMS).write_text(json.dumps({name: _digest(folder / name) for name in names}))


def intact(folder: Path) -> bool:
    """Whether RAM, state, logs and keys are what was saved.

    They are read once; later calls compare inodes, sizes and times, which change
    with whatever is done to a file.
    """
    try:
        sums = json.loads((folder / SUMS).read_text())
        stamp = {name: _identity(folder / name) for name in (SUMS, *sums)}
        if _noted(folder) == stamp:
            return True
        good = {RAM, STATE} <= sums.keys() and all(_digest(folder / n) == sums[n] for n in sums)
    except (OSError, ValueError, AttributeError):  # damaged in whatever way
        return False
    if good:
        scratch = folder / f"{_SEEN}.{os.getpid()}"
        scratch.write_text(json.dumps(stamp))
        scratch.rename(folder / _SEEN)
    return good


def seed_logs(folder: Path, run_dir: Path) -> None:
    """Begin the logs of a restored guest with what was said before the snapshot."""
    for name in LOGS:
        if (folder / name).exists():
            shutil.copyfile(folder / name, run_dir / name)


def load(vm: Vm, folder: Path) -> None:
    """Bring a waiting guest (`incoming`) to the state in `folder`; its CPUs are stopped then.

    Raises `RigError` (INFRA) when QEMU does not take it.
    """
    _migrate(vm.qmp, "migrate-incoming", {"uri": f"file:{folder / STATE}", "exit-on-error": False})


def own_ram(folder: Path, target: Path) -> None:
    """Copy the RAM of a snapshot, holes left out, for a guest that will be saved again."""
    with (folder / RAM).open("rb") as source, target.open("wb") as copy:
        size = os.fstat(source.fileno()).st_size
        for start, length in _data(source.fileno(), size):
            at, end = start, start + length
            while at < end:
                done = os.copy_file_range(source.fileno(), copy.fileno(), end - at, at, at)
                if not done:
                    raise infra(f"{source.name} has ended early")
                at += done
        copy.truncate(size)


def _migrate(qmp: Qmp, command: str, arguments: dict[str, object]) -> None:
    wanted = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]
    qmp.execute_with("migrate-set-capabilities", {"capabilities": wanted})
    before = qmp.events("MIGRATION")  # a guest that was restored has had a migration already
    qmp.execute_with(command, arguments)
    end = qmp.wait_event(
        "MIGRATION",
        MIGRATE_S,
        lambda event: event.data["status"] in _ENDS and not any(event is old for old in before),
    )
    if end.data["status"] != "completed":
        why = qmp.execute("query-migrate").get("error-desc", end.data["status"])
        raise infra(f"QEMU could not {command}: {why}")


def _noted(folder: Path) -> object:
    try:
        return json.loads((folder / _SEEN).read_text())
    except (OSError, ValueError):
        return None


def _identity(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _digest(path: Path) -> str:
    """SHA-256 over the blocks that are not all zero, and their places: holes cost nothing."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(f"{size}".encode())
        last = -1
        for offset, length in _data(file.fileno(), size):
            first, end = offset // _BLOCK, (offset + length - 1) // _BLOCK
            for number in range(max(first, last + 1), end + 1):
                block = os.pread(file.fileno(), _BLOCK, number * _BLOCK)
                if block.count(0) != len(block):
                    digest.update(f" {number} ".encode() + hashlib.sha256(block).digest())
            last = max(last, end)
    return digest.hexdigest()


def _data(handle: int, size: int) -> list[tuple[int, int]]:
    """Offset and length of the parts of a file that are no holes."""
    parts: list[tuple[int, int]] = []
    end = 0
    while end < size:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            break
        end = os.lseek(handle, start, os.SEEK_HOLE)
        parts.append((start, end - start))
    return parts
