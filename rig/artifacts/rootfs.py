# SPDX-License-Identifier: MIT
"""The guest's userland as an initramfs: Debian arm64 binaries, our programs, a few files.

An initramfs is a sum of segments (see `cpio`): the artifact `rootfs.cpio`,
then `modules_segment()`, `firmware_segment()` and, new for every run,
`run_segment()` with its keys.
"""

from __future__ import annotations

import posixpath
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from rig.artifacts.cpio import CpioWriter
from rig.artifacts.debroot import DebRoot, busybox_applets
from rig.artifacts.guestprogs import GuestProgramsRecipe
from rig.artifacts.recipe import Builder, Job, Recipe
from rig.errors import infra

PACKAGES = ("busybox", "kmod", "dropbear-bin", "openssh-sftp-server")
"""Not busybox-static: its shell prefers its own applets, so `sh -c "modprobe …"` (that is: ssh
and the console) would run another modprobe than the agent, which looks in PATH."""
KMOD_TOOLS = ("depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod")
PROGRAMS = [
    "bin/busybox",
    "bin/kmod",
    *(f"sbin/{tool}" for tool in KMOD_TOOLS),
    "usr/sbin/dropbear",
    # dropbear starts the sftp server under this name, a symlink of the package
    "usr/lib/sftp-server",
]
HOST_KEY = "/etc/dropbear/host_ed25519"
"""Where dropbear (see guest/init) looks for the run's host key."""

FOLDERS: Mapping[str, int] = {
    "dev": 0o755, "proc": 0o755, "sys": 0o755, "run": 0o755, "mnt": 0o755, "tmp": 0o1777,
    "etc/dropbear": 0o700, "root": 0o700, "var/log": 0o755, "var/tmp": 0o1777,
    "usr/lib/firmware": 0o755, "usr/lib/modules": 0o755,
}  # fmt: skip
"""Folders that must exist, with their modes."""

FILES: Mapping[str, str] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/shells": "/bin/sh\n",
    "etc/hostname": "rig\n",
    "etc/hosts": "127.0.0.1 localhost rig\n",
    "etc/profile": (
        "export PS1='rig# ' PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n"
    ),
    # A stage of the rig decides when these load; an alias must not.
    "etc/modprobe.d/rig.conf": "blacklist panthor\nblacklist tyr\nblacklist optee\n",
}
"""Text files of the image; /etc/shadow comes on top, with mode 0600 (no password fits)."""


class RootfsRecipe(Recipe):
    """`rootfs.cpio`: the first segment, uncompressed (unpacking costs more than reading)."""

    name: ClassVar[str] = "rootfs"
    version: ClassVar[int] = 1

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The packages, our programs, the files above."""
        return {
            "debs": builder.sources.debs(PACKAGES).digest,
            "programs": builder.get(GuestProgramsRecipe()).key,
            "members": repr((PROGRAMS, sorted(FOLDERS.items()), sorted(FILES.items()))),
        }

    def build(self, job: Job) -> None:
        """Unpack, choose, write."""
        tree = job.work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        for deb in job.builder.sources.debs(PACKAGES).paths:
            job.run(["dpkg-deb", "-x", deb, tree], what=f"unpacking {deb.name}")
        cpio = CpioWriter()
        cpio.merge_usr()
        _add_debian(cpio, DebRoot(tree))
        _add_programs(cpio, job.builder.get(GuestProgramsRecipe()).path)
        _add_files(cpio)
        (job.out / "rootfs.cpio").write_bytes(cpio.bytes())
        shutil.rmtree(tree)


def run_segment(
    host_key: str, authorized_key: str, extra_files: Mapping[str, bytes] | None = None
) -> bytes:
    """What belongs to one run.

    `host_key`: an ed25519 private key as PEM (``OPENSSH PRIVATE KEY``), sshd's.
    `authorized_key`: one line of authorized_keys. `extra_files`: guest path to
    content; an executable one (a script or an ELF file) gets mode 0755. A file
    at /etc/rig/rc runs before the guest says that it is ready.
    """
    cpio = CpioWriter()
    cpio.add_file(HOST_KEY, dropbear_key(host_key), 0o600)
    cpio.add_dir("etc/dropbear", 0o700)
    cpio.add_file("root/.ssh/authorized_keys", authorized_key.strip().encode() + b"\n", 0o600)
    cpio.add_dir("root", 0o700)
    cpio.add_dir("root/.ssh", 0o700)
    for path, data in (extra_files or {}).items():
        cpio.add_file(path, data, 0o755 if data[:2] == b"#!" or data[:4] == b"\x7fELF" else 0o644)
    return cpio.bytes()


def modules_segment(modules_dir: Path) -> bytes:
    """A `modules_install` tree (`modules_dir`/lib/modules/VERSION) as a segment.

    Raises `RigError` when depmod has not run there.
    """
    root = modules_dir / "lib" / "modules"
    if not list(root.glob("*/modules.dep")):
        raise infra(f"no modules.dep below {root}", "run depmod on that tree (`rig build modules`)")
    cpio = CpioWriter()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(modules_dir).as_posix()
        if path.is_symlink():
            if path.name not in ("build", "source"):  # they lead to this machine's build tree
                cpio.add_symlink(name, str(path.readlink()))
        elif path.is_file():
            cpio.add_file(name, path.read_bytes())
    return cpio.bytes()


def firmware_segment(path_in_guest: str, data: bytes) -> bytes:
    """One firmware file, e.g. at /lib/firmware/arm/mali/arch10.8/mali_csffw.bin."""
    cpio = CpioWriter()
    cpio.add_file(path_in_guest, data)
    return cpio.bytes()


def dropbear_key(pem: str) -> bytes:
    """An ed25519 private key in dropbear's own file format.

    Two strings with big-endian lengths: the algorithm, then seed and public key.
    """
    key = load_ssh_private_key(pem.encode(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise infra("the guest's host key is not an ed25519 key")
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"".join(struct.pack(">I", len(x)) + x for x in (b"ssh-ed25519", seed + public))


def _add_debian(cpio: CpioWriter, root: DebRoot) -> None:
    root.copy_into(cpio, root.closure(PROGRAMS))
    busybox = (root.path / root.find("bin/busybox")).read_bytes()
    for applet in busybox_applets(busybox):
        path = f"usr/bin/{applet}"
        if applet not in KMOD_TOOLS and applet != "init" and path not in cpio.entries:
            cpio.add_symlink(path, "busybox")


def _add_programs(cpio: CpioWriter, folder: Path) -> None:
    for path in sorted(p for p in folder.iterdir() if p.name != "manifest.json"):
        where = {"init": "init", "rig-agent": "usr/sbin/rig-agent"}
        cpio.add_file(where.get(path.name, posixpath.join("usr/bin", path.name)),
                      path.read_bytes(), 0o755)  # fmt: skip


def _add_files(cpio: CpioWriter) -> None:
    for name, mode in FOLDERS.items():
        cpio.add_dir(name, mode)
    for name, text in FILES.items():
        cpio.add_file(name, text.encode())
    cpio.add_file("etc/shadow", b"root:*:::::::\n", 0o600)
    # The kernel opens the console before /init has mounted a devtmpfs.
    cpio.add_device("dev/console", 5, 1)
    cpio.add_device("dev/null", 1, 3, 0o666)
