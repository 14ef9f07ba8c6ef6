# SPDX-License-Identifier: MIT
"""What the machine needs, whether it is there, and the one apt command that gets it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.environment import clean_path
from rig.errors import infra
from rig.ui import Reporter


@dataclass(frozen=True)
class Requirement:
    """One thing that must be on the machine."""

    package: str
    """Debian package that brings it."""
    why: str
    command: str = ""
    file: str = ""

    def met(self) -> bool:
        """Whether it is there now, where builds look (by looking, not by asking dpkg)."""
        if self.command:
            return shutil.which(self.command, path=clean_path()) is not None
        return Path(self.file).exists()


_CROSS_LIBC = "/usr/aarch64-linux-gnu/lib/libc.a"
_PC = "/usr/lib/x86_64-linux-gnu/pkgconfig"
BUILD = (
    Requirement("git", "trees and series are git objects", command="git"),
    Requirement("make", "kernel, TF-A, OP-TEE", command="make"),
    Requirement("gcc", "QEMU and host tools", command="gcc"),
    Requirement("libc6-dev", "QEMU and host tools", file="/usr/include/stdio.h"),
    Requirement("gcc-aarch64-linux-gnu", "the guest's programs", command="aarch64-linux-gnu-gcc"),
    Requirement("libc6-dev-arm64-cross", "static guest programs", file=_CROSS_LIBC),
    Requirement("flex", "Kconfig", command="flex"),
    Requirement("bison", "Kconfig", command="bison"),
    Requirement("bc", "kernel", command="bc"),
    Requirement("kmod", "depmod for the guest's modules", command="depmod"),
    Requirement("ninja-build", "QEMU", command="ninja"),
    Requirement("pkg-config", "QEMU", command="pkg-config"),
    Requirement("libglib2.0-dev", "QEMU", file=f"{_PC}/glib-2.0.pc"),
    Requirement("libfdt-dev", "QEMU's device tree", file="/usr/include/libfdt.h"),
    Requirement("libslirp-dev", "QEMU's user network", file=f"{_PC}/slirp.pc"),
    Requirement("device-tree-compiler", "OP-TEE, device-tree tests", command="dtc"),
    Requirement("libssl-dev", "TF-A's host tools", file="/usr/include/openssl/ssl.h"),
    Requirement("dpkg-dev", "unpacking source packages", command="dpkg-source"),
    Requirement("patch", "unpacking source packages", command="patch"),
    Requirement("xz-utils", "unpacking source packages", command="xz"),
    Requirement("debian-archive-keyring", "checking signatures of sources",
                file="/usr/share/keyrings/debian-archive-keyring.gpg"),
)  # fmt: skip
SSH = (Requirement("openssh-client", "the client", command="ssh"),)
GDB = (Requirement("gdb-multiarch", "gdb for the guest", command="gdb-multiarch"),)
DEBIAN = (Requirement("e2fsprogs", "the guest's disk", command="mke2fs"),)
TEST = (
    Requirement("clang-format", "C layout", command="clang-format"),
    Requirement("shellcheck", "shell scripts", command="shellcheck"),
    Requirement("zsh", "completion in it", command="zsh"),
    Requirement("dt-schema", "device-tree bindings", command="dt-doc-validate"),
)
BROWSER = (Requirement("chromium", "the report in a real browser", command="chromium"),)
_FUZZER = "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a"
FUZZ = (
    Requirement("clang-14", "the compiler", command="clang-14"),
    Requirement("libclang-rt-14-dev", "libFuzzer", file=_FUZZER),
    Requirement("llvm-14", "readable reports", command="llvm-symbolizer-14"),
)


@dataclass(frozen=True)
class Need:
    """What a command needs beside what all need; `rig doctor --for` names it."""

    command: str
    """The commands, for people."""
    requirements: tuple[Requirement, ...]


NEEDS = {
    "run": Need("make run, and every rig command that builds or boots", BUILD),
    "ssh": Need("rig ssh", SSH),
    "gdb": Need("rig gdb", GDB),
    "debian": Need("--rootfs debian", DEBIAN),
    "test": Need("make test", TEST),
    "browser": Need("make nightly: the report's test", BROWSER),
    "fuzz": Need("make fuzz", FUZZ),
}
"""By the name that `--for` takes. Nothing installs or asks for what another command needs."""


def needed_by(*names: str) -> tuple[Requirement, ...]:
    """What some of `NEEDS` need together."""
    return tuple(one for name in names for one in NEEDS[name].requirements)


def missing(wanted: Sequence[Requirement] = BUILD) -> list[Requirement]:
    """Requirements that are not met."""
    return [requirement for requirement in wanted if not requirement.met()]


def apt_command(requirements: list[Requirement]) -> str:
    """The one command that installs them."""
    packages = " ".join(sorted({requirement.package for requirement in requirements}))
    return f"apt-get install -y --no-install-recommends {packages}"


def ensure(ui: Reporter, *also: str) -> None:
    """Install what is missing to build and boot, and for some more of `NEEDS`.

    Only when run as root, and it says so; else raises `RigError` (INFRA) with the command.
    """
    wanted = needed_by("run", *also)
    lacking = missing(wanted)
    if not lacking:
        return
    command = apt_command(lacking)
    if os.geteuid() != 0:
        raise infra(
            f"{len(lacking)} packages are missing: "
            + ", ".join(requirement.package for requirement in lacking),
            f"sudo {command}",
        )
    ui.say(f"installing missing packages (as root): {command}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-qq"], [*command.split(), "-qq"]):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise infra(f"{' '.join(argv[:2])} failed: {reason}", f"run it by hand: {command}")
    still = missing(wanted)
    if still:
        raise infra(
            f"still missing after installing: {', '.join(r.package for r in still)}", command
        )
