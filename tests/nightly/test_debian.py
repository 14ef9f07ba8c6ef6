# SPDX-License-Identifier: MIT
"""The Debian guest as a user has it: own packages and programs on the emulated GPU, and tools."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.guest.conftest import Rig, told
from tests.guest.test_interactive import LEAVE, PROMPT, Terminal, folder_of, terminal
from tests.guest.test_interactive import rig as other_terminal

__all__ = ["terminal"]

BOOT_S = 1800
"""The disk may have to be made, and Debian configured on it."""
SCENARIOS = ("probe-defer/heap-late", "suspend-buffer/state-survives")
SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

struct version { int major, minor, patch; size_t name_len; char *name;
                 size_t date_len; char *date; size_t desc_len; char *desc; };

int driver_of(int fd, char *name, size_t size)
{
    struct version v = { .name = name, .name_len = size - 1 };

    return ioctl(fd, _IOWR('d', 0, struct version), &v);
}

int main(void)
{
    char name[32] = "";
    int fd = open("/dev/dri/renderD128", O_RDWR);

    if (fd < 0 || driver_of(fd, name, sizeof(name)))
        return 1;
    printf("the GPU's driver is %s\n", name);
    return 0;
}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the user's own, with a program for Debian's C library."""
    root = tmp_path_factory.mktemp("user-gpu")
    tree = root / "user-gpu"
    for folder in ("DEBIAN", "usr/bin"):
        (tree / folder).mkdir(parents=True)
    (root / "user-gpu.c").write_text(SOURCE)
    subprocess.run(
        ["aarch64-linux-gnu-gcc", "-g", "-O0", "-o", tree / "usr/bin/user-gpu", "user-gpu.c"],
        cwd=root, check=True,
    )  # fmt: skip
    (tree / "DEBIAN" / "control").write_text(
        "Package: user-gpu\nVersion: 1\nArchitecture: arm64\nMaintainer: a user <u@example.org>\n"
        "Depends: libc6\nDescription: asks the GPU for its driver's name\n"
    )
    (tree / "DEBIAN" / "postinst").write_text("#!/bin/sh\nset -e\ntouch /var/lib/user-gpu\n")
    (tree / "DEBIAN" / "postinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", "user-gpu", "."], cwd=root, check=True)
    (deb,) = root.glob("*.deb")
    return deb


@contextmanager
def debian(terminal: Terminal, *options: str) -> Iterator[str]:
    """A Debian guest with panthor bound; its folder."""
    shell = terminal("shell", "--direct", "--rootfs", "debian", *options)
    shell.expect(PROMPT, timeout=BOOT_S)
    shell.send(LEAVE)
    where = folder_of(shell)
    yield where
    shell.expect("Enter to end it")
    shell.sendline("")
    shell.wait()


def inside(where: str, *command: str) -> str:
    """A command in the guest, which must succeed; what it printed."""
    done = other_terminal("ssh", "--guest", where, *command)
    assert done.returncode == 0
    return done.stdout


def test_own_packages_and_programs_with_strace_and_gdb(
    terminal: Terminal, package: Path, tmp_path: Path
) -> None:
    with debian(terminal) as where:
        assert inside(where, "dpkg", "--audit") == "", "every package is whole and configured"
        assert inside(where, "stat", "-f", "-c", "%T", "/") == "ext2/ext3\n"
        assert other_terminal("cp", "--guest", where, str(package), ":/root/").returncode == 0
        inside(where, "apt-get", "install", "-y", f"/root/{package.name}")
        inside(where, "test", "-e", "/var/lib/user-gpu")  # its script has run
        assert inside(where, "user-gpu") == "the GPU's driver is panthor\n"
        assert "gpu_id=0xa8670005" in inside(where, "gpuctl", "info"), "the rig's own are there too"
        inside(where, "strace", "-o", "/root/trace", "-e", "trace=openat,ioctl", "user-gpu")
        gdb = inside(where, "gdb", "-batch", "-ex", "'break driver_of'", "-ex", "run",
                     "-ex", "backtrace", "-ex", "continue", "user-gpu")  # fmt: skip
        assert "#0  driver_of (fd=" in gdb
        assert "in main () at user-gpu.c:" in gdb
        assert "the GPU's driver is panthor" in gdb
        assert other_terminal("cp", "--guest", where, ":/root/trace", str(tmp_path)).returncode == 0
        trace = (tmp_path / "trace").read_text()
        assert '"/dev/dri/renderD128"' in trace
        assert "DRM_IOCTL_VERSION" in trace
    with debian(terminal) as where:
        assert other_terminal("ssh", "--guest", where, "user-gpu").returncode == 127, (
            "a disk of its own"
        )


def test_a_disk_that_is_kept(terminal: Terminal, package: Path, tmp_path: Path) -> None:
    disk = tmp_path / "my.disk"
    for first in (True, False):
        with debian(terminal, "--keep-disk", str(disk)) as where:
            if first:
                assert other_terminal("cp", "--guest", where, str(package), ":").returncode == 0
                inside(where, "dpkg", "-i", package.name)
            assert inside(where, "user-gpu") == "the GPU's driver is panthor\n"


def test_scenarios_have_the_same_verdicts_in_it(rig: Rig) -> None:
    ran = rig("--rootfs", "debian", *SCENARIOS)
    assert told(ran) == dict.fromkeys(SCENARIOS, ("PASS", None))
