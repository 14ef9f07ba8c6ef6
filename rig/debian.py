# SPDX-License-Identifier: MIT
"""The Debian guest: its disk, configured once in a guest and kept by content; what a boot adds.

The packages' maintainer scripts are arm64 programs: `dpkg --configure -a` runs them in the
rig's own machine, on the disk that `rig.artifacts.debian` filled. Every guest then writes
into an overlay that ends with it, unless the user keeps a disk of his own (`--keep-disk`).
"""

from __future__ import annotations

import copy
import shlex
import shutil
import subprocess
from pathlib import Path

from rig import doctor
from rig.artifacts.apt import system_mirror
from rig.artifacts.debian import DISK, DebianRecipe
from rig.artifacts.guestprogs import PROGRAMS
from rig.deadlines import scaled
from rig.environment import KEPT, build_environment
from rig.errors import FailureClass, RigError, infra, usage
from rig.machine.launch import Disk
from rig.session import GuestConfig, Session, Start
from rig.store import key_of
from rig.testbed import Root, TestBed

KIND = "debian-ready"
FIRST = "base-passwd base-files"
CONFIGURE = ("sh", "-c", f"dpkg --force-depends --configure {FIRST} && dpkg --configure -a")
"""`FIRST`: others' scripts count on users and folders, and do not depend on these packages."""
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
CONFIGURE_S = 600.0
"""What configuring may take on an idle machine, s (seen: about a minute)."""
BROUGHT = ("usr/lib/modules", "usr/lib/firmware", "etc/dropbear", "root/.ssh")
"""Folders of the initramfs that replace those on the disk: they belong to the boot."""
_ELSEWHERE = ("init", "rig-agent")
"""Our programs that are no commands."""
NAMESERVER = "10.0.2.3"
"""QEMU's user network forwards names from there."""


def provide(bed: TestBed, run_dir: Path) -> None:
    """Give the bed's guests the disk that its options ask for, made now if need be.

    Raises `RigError` as a boot does; USAGE for a disk of the user's that cannot be used.
    """
    if bed.options.rootfs != "debian" or bed.root is not None:
        return
    own = bed.options.keep_disk
    if own is not None and own.exists() and not own.is_file():
        raise usage(f"{own} is no file", "give a file for the disk; a new one is made")
    if own is None or not own.exists():
        ready = _ready(bed, run_dir) / DISK
    if own is not None and not own.exists():
        bed.ui.say(f"a new disk, a copy of the rig's Debian: {own}")
        _copy(ready, own)
    disk = Disk(own.absolute(), keep=True) if own is not None else Disk(ready, keep=False)
    bed.root = Root(disk, hook(bed.options.net))


def hook(network: bool) -> str:
    """The program that guest/init runs first: mounts the disk, brings in what belongs to the boot.

    `network`: the guest may use this machine's, so that apt is told of its mirror.
    """
    programs = " ".join(f"/usr/bin/{name}" for name in PROGRAMS if name not in _ELSEWHERE)
    lines = ["#!/bin/sh", "set -e", "mount -t ext4 /dev/vda /mnt"]
    for folder in BROUGHT:
        lines += [f"rm -rf /mnt/{folder}", f"cp -a /{folder} /mnt/{folder}"]
    lines += ["cp -a /usr/sbin/rig-agent /mnt/usr/sbin/", f"cp -a {programs} /mnt/usr/bin/"]
    return "\n".join([*lines, *(_online() if network else [])]) + "\n"


def _online() -> list[str]:
    """apt's mirror and proxy are this machine's: no name of either is part of the rig."""
    proxies = {name: value for name, value in build_environment().items()
               if name in KEPT and name in ("http_proxy", "https_proxy")}  # fmt: skip
    conf = "".join(f'Acquire::{name[:-6]}::Proxy "{value}";\n' for name, value in proxies.items())
    source = f"deb {system_mirror()} $VERSION_CODENAME main"
    return [
        f"echo nameserver {NAMESERVER} > /mnt/etc/resolv.conf",
        f'. /mnt/etc/os-release; echo "{source}" > /mnt/etc/apt/sources.list',
        f"printf %s {shlex.quote(conf)} > /mnt/etc/apt/apt.conf.d/80rig",
    ]


def _ready(bed: TestBed, run_dir: Path) -> Path:
    """Folder with the configured disk."""
    doctor.ensure(bed.ui, "debian")
    store = bed.builder.store
    unpacked = bed.builder.get(DebianRecipe())
    inputs = {"unpacked": unpacked.key, "configure": shlex.join(CONFIGURE)}
    key = key_of(inputs)
    with store.lock(KIND, on_wait="rig: another rig configures Debian; waiting for it"):
        known = store.find(KIND, key)
        if known is None or not store.hold(known):
            bed.ui.say("  configuring Debian in a guest, once: about a minute")
            with store.publishing(KIND, key, inputs) as out:
                _copy(unpacked.path / DISK, out / DISK)
                _configure(bed, run_dir / "to-debian", out / DISK)
            known = store.find(KIND, key)
            assert known is not None
            store.hold(known)
    return known.path


def _configure(bed: TestBed, folder: Path, disk: Path) -> None:
    """Run the packages' scripts in a guest without anything under test."""
    plain = copy.copy(bed)
    plain.root = Root(Disk(disk, keep=True), hook(network=False))
    with Session(plain, folder, GuestConfig("direct"), Start(plain=True)) as session:
        done = session.agent.run([*CONFIGURE], timeout=scaled(CONFIGURE_S), env=ENVIRONMENT)
        (folder / "configure.log").write_bytes(done.stdout_bytes + done.stderr_bytes)
        if not done.ok:
            raise RigError(
                FailureClass.INFRA,
                f"Debian's packages could not be configured in the guest ({done.describe()})",
                log=folder / "configure.log",
            )
    _check(disk)
    shutil.rmtree(folder)


def _check(disk: Path) -> None:
    """Replay the journal and look at the whole file system: nobody will do so again."""
    argv = ["e2fsck", "-f", "-p", str(disk)]
    done = subprocess.run(
        argv, env=build_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):  # 1: the journal was replayed
        raise infra(f"the configured disk is damaged: {done.stdout.strip()}")


def _copy(source: Path, target: Path) -> None:
    """Copy a disk; its holes stay holes."""
    argv = ["cp", "--sparse=always", "--no-preserve=mode", str(source), str(target)]
    done = subprocess.run(
        argv, env=build_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        raise infra(f"cannot copy the disk: {done.stderr.strip()}")
