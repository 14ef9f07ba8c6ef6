# SPDX-License-Identifier: MIT
"""A Debian root on an ext4 disk: packages unpacked here, not configured yet.

No root, no chroot, no emulation: `dpkg-deb` and `tar` unpack, dpkg's database is written
as `dpkg --unpack` would leave it, `mke2fs -d` fills the disk. Maintainer scripts are arm64
programs, so that the packages are configured in a guest (`rig.debian`). Nothing of the rig
is in here: modules, firmware, programs and keys come from the initramfs at each boot.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rig.artifacts.recipe import Builder, Job, Recipe, tool_output
from rig.environment import build_environment
from rig.errors import infra

BASE = (
    "apt", "base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash", "debianutils",
    "diffutils", "dpkg", "findutils", "grep", "gzip", "hostname", "init-system-helpers",
    "libc-bin", "login", "mount", "ncurses-base", "ncurses-bin", "passwd", "perl-base", "sed",
    "sysvinit-utils", "tar", "util-linux",
)  # fmt: skip
"""What Debian calls essential, and apt: packages may count on these without saying so."""
PACKAGES = (
    *BASE, "ca-certificates", "debian-archive-keyring", "dropbear-bin", "gdb", "iproute2", "kmod",
    "less", "openssh-sftp-server", "procps", "python3-minimal", "strace", "usr-is-merged",
)  # fmt: skip
DISK = "disk.ext4"
SIZE_MIB = 4096
"""Of the disk; the file has holes where nothing is."""
LINKS: Mapping[str, str] = {
    # Debian 12 wants these there before the first package (usr-is-merged)
    **{name: f"usr/{name}" for name in ("bin", "lib", "sbin")},
    # sshd runs, and writes its pid, before base-files would make these
    "var/run": "../run",
    "var/lock": "../run/lock",
}
"""Relative, so that nothing is unpacked through them into this machine's folders."""
FOLDERS = ("etc/dropbear", "mnt", "proc", "root/.ssh", "run/lock", "sys", "usr/bin", "usr/lib",
           "usr/sbin", "usr/lib/firmware", "usr/lib/modules", "var/lib/dpkg/info",
           "var/lib/dpkg/updates")  # fmt: skip
FILES: Mapping[str, str] = {
    "etc/hostname": "rig\n",
    "etc/hosts": "127.0.0.1 localhost rig\n",
    "etc/shells": "/bin/sh\n/bin/bash\n/usr/bin/sh\n/usr/bin/bash\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    # A stage of the rig decides when these load; an alias must not.
    "etc/modprobe.d/rig.conf": "blacklist panthor\nblacklist tyr\nblacklist optee\n",
    "etc/profile.d/rig.sh": "export PS1='rig# '\n",
    # init starts what runs; a package must not start daemons of its own behind its back
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "var/lib/dpkg/available": "",
    "var/lib/dpkg/diversions": "",
    "var/lib/dpkg/statoverride": "",
    "var/lib/dpkg/info/format": "1\n",
}
_SEED = "72696700-0000-4000-8000-64656269616e"
"""Of the file system's UUID and hash: the same content makes the same disk, but for times."""


@dataclass(frozen=True)
class Member:
    """One file of a package, as far as `tar` cannot restore it for everybody."""

    path: str
    uid: int
    gid: int


class DebianRecipe(Recipe):
    """`disk.ext4` with all packages in the state "unpacked"."""

    name: ClassVar[str] = "debian"
    version: ClassVar[int] = 1

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The packages, the files above, the tool that makes the file system."""
        return {
            "debs": builder.sources.debs(PACKAGES).digest,
            "members": repr((FOLDERS, sorted(LINKS.items()), sorted(FILES.items()), SIZE_MIB)),
            "mke2fs": tool_output("sh", "-c", "mke2fs -V 2>&1").splitlines()[0],
        }

    def build(self, job: Job) -> None:
        """Unpack everything, write dpkg's database, fill the disk."""
        tree = job.work / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        _skeleton(tree)
        owners: list[Member] = []
        status: list[str] = []
        debs = job.builder.sources.debs(PACKAGES).paths
        for number, deb in enumerate(debs, 1):
            job.builder.ui.progress("unpacking Debian", number, len(debs))
            owners += _unpack(job, deb, tree)
            status.append(_register(job, deb, tree))
        (tree / "var/lib/dpkg/status").write_text("\n".join(status))
        for name, text in FILES.items():
            _write(tree / name, text)
        disk = job.out / DISK
        job.run(
            ["mke2fs", "-q", "-t", "ext4", "-L", "rig-debian", "-U", _SEED, "-m", "0",
             "-E", f"hash_seed={_SEED},root_owner=0:0", "-d", tree, disk, f"{SIZE_MIB}M"],
            what="filling the disk",
        )  # fmt: skip
        if os.geteuid() != 0:
            _give_away(job, disk, tree, owners)
        shutil.rmtree(tree)


def status_entry(control: str, conffiles: Sequence[tuple[str, str]]) -> str:
    """A package's paragraph of dpkg's status file, unpacked but not configured.

    `control`: the package's own paragraph. `conffiles`: path and MD5, as dpkg keeps them.
    """
    first, _, rest = control.strip().partition("\n")
    lines = [first, "Status: install ok unpacked", *([rest] if rest else [])]
    if conffiles:
        lines += ["Conffiles:", *(f" {path} {md5}" for path, md5 in conffiles)]
    return "\n".join(lines) + "\n"


def info_name(control: str) -> str:
    """Stem of a package's files in /var/lib/dpkg/info: with its architecture where several fit."""
    fields = dict(
        line.split(": ", 1) for line in control.splitlines() if ": " in line and line[0] != " "
    )
    name = fields["Package"]
    return f"{name}:{fields['Architecture']}" if fields.get("Multi-Arch") == "same" else name


def _skeleton(tree: Path) -> None:
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name, target in LINKS.items():
        (tree / name).symlink_to(target)
    for name in ("root", "root/.ssh", "etc/dropbear"):
        (tree / name).chmod(0o700)


def _unpack(job: Job, deb: Path, tree: Path) -> list[Member]:
    """The package's files into `tree`; what is not root's among them."""
    archive = job.work / "data.tar"
    with archive.open("wb") as file:
        _tool(["dpkg-deb", "--fsys-tarfile", str(deb)], file.fileno())
    # /bin and the like are links: tar would put the package's folder in their place
    job.run(["tar", "-xpf", archive, "-C", tree, "--keep-directory-symlink"], what=deb.name)
    with tarfile.open(archive) as members:
        found = [Member(_plain(m.name), m.uid, m.gid) for m in members]
    archive.unlink()
    paths = [f"/{member.path}" if member.path else "/." for member in found]
    (tree / "var/lib/dpkg/info" / f"{info_name(_control(deb))}.list").write_text(
        "\n".join(paths) + "\n"
    )
    return [member for member in found if member.uid or member.gid]


def _register(job: Job, deb: Path, tree: Path) -> str:
    """The package's scripts into dpkg's database; its paragraph of the status file."""
    control = _control(deb)
    folder = job.work / "control"
    shutil.rmtree(folder, ignore_errors=True)
    job.run(["dpkg-deb", "--control", deb, folder], what=deb.name)
    conffiles = []
    for path in sorted(folder.iterdir()):
        if path.name == "conffiles":
            conffiles = list(_conffiles(path.read_text(), tree))
        if path.name != "control":
            shutil.copy2(path, tree / "var/lib/dpkg/info" / f"{info_name(control)}.{path.name}")
    return status_entry(control, conffiles)


def _conffiles(listed: str, tree: Path) -> Iterator[tuple[str, str]]:
    for line in listed.splitlines():
        name = line.split()[-1] if line.strip() else ""
        path = tree / name.lstrip("/")
        if name and path.is_file():
            yield name, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _control(deb: Path) -> str:
    return _tool(["dpkg-deb", "--field", str(deb)])


def _tool(argv: Sequence[str], stdout: int = subprocess.PIPE) -> str:
    """What a tool prints. Raises `RigError` (INFRA) when it fails."""
    done = subprocess.run(
        argv, env=build_environment(), stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise infra(f"{' '.join(argv[:2])} failed: {done.stderr.decode(errors='replace').strip()}")
    return (done.stdout or b"").decode()


def _plain(name: str) -> str:
    return name.removeprefix(".").strip("/")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if text.startswith("#!") else 0o644)


def owner_commands(tree: Path, owners: Sequence[Member]) -> list[str]:
    """debugfs' commands that give every file of `tree` on its disk to root, or to its owner."""
    other = {member.path: member for member in owners}
    commands = []
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        owner = other.get(name, Member(name, 0, 0))
        commands += [f'sif "/{name}" uid {owner.uid}', f'sif "/{name}" gid {owner.gid}']
    return commands


def _give_away(job: Job, disk: Path, tree: Path, owners: Sequence[Member]) -> None:
    """Who is not root cannot unpack files of others: everything on the disk changes its owner."""
    script = job.work / "owners.debugfs"
    script.write_text("\n".join(owner_commands(tree, owners)) + "\n")
    job.run(["debugfs", "-w", "-f", script, disk], what="giving the files to root")
