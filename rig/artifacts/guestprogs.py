# SPDX-License-Identifier: MIT
"""Our own programs in the guest: static arm64 binaries from guest/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rig.artifacts.recipe import (
    Builder,
    Job,
    Recipe,
    libraries_digest,
    tool_output,
    tool_version,
)
from rig.artifacts.sources import files_digest
from rig.paths import REPO

CROSS = "aarch64-linux-gnu-"
CFLAGS = ("-std=c11", "-O2", "-static", "-Wall", "-Wextra", "-Werror")
LIBRARIES = ("libc.a", "libpthread.a", "libgcc.a", "crt1.o")
"""What a static program contains besides our own code."""
GUEST = REPO / "guest"

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "init": ("init/init.c", "init/net.c", "init/service.c"),
    "rig-agent": (
        "agent/main.c",
        "agent/ops.c",
        "agent/proc.c",
        "agent/pump.c",
        "agent/session.c",
        "agent/file.c",
        "agent/frame.c",
        "agent/buf.c",
        "agent/transport.c",
    ),
    "heapctl": ("clients/heapctl.c", "clients/heap_edge.c", "clients/tee.c"),
    "failnth": ("clients/failnth.c", "clients/gpu.c"),
    "fwfuzz": ("clients/fwfuzz.c",),
    "memctl": ("clients/memctl.c",),
    "mmiobench": ("clients/mmiobench.c",),
    "rig-resume": ("clients/resume.c",),
    "gpuctl": (
        "clients/gpuctl.c",
        "clients/gpu.c",
        "clients/gpu_job.c",
        "clients/gpu_mesh.c",
        "clients/gpu_protm.c",
        "clients/gpu_region.c",
        "clients/gpu_uapi.c",
        "clients/gpu_unmap.c",
        "clients/gpu_rotate.c",
        "clients/tee.c",
    ),
}
"""Program: its sources below guest/."""


def source_paths() -> list[Path]:
    """Every C source and header that a program may use."""
    folders = ("init", "agent", "clients", "include")
    return sorted(path for name in folders for path in (GUEST / name).glob("*.[ch]"))


def _uapi_version() -> str:
    """Version of the kernel headers that the programs are compiled against."""
    macros = tool_output(
        f"{CROSS}gcc", "-E", "-dM", "-include", "linux/version.h", "-x", "c", "/dev/null"
    )
    return next((line for line in macros.splitlines() if "LINUX_VERSION_CODE" in line), "none")


class GuestProgramsRecipe(Recipe):
    """One stripped static binary a program, in the artifact's folder."""

    name: ClassVar[str] = "guestprogs"
    version: ClassVar[int] = 1

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The programs and their sources, the compiler, the flags, the C library they contain."""
        paths = source_paths()
        return {
            "programs": repr(sorted(PROGRAMS.items())),
            "names": " ".join(path.relative_to(GUEST).as_posix() for path in paths),
            "sources": files_digest(paths),
            "libraries": libraries_digest(f"{CROSS}gcc", LIBRARIES),
            "uapi": _uapi_version(),
            "binutils": tool_version(f"{CROSS}ld", "--version"),
            "gcc": tool_version(f"{CROSS}gcc", "--version"),
            "flags": " ".join(CFLAGS),
        }

    def build(self, job: Job) -> None:
        """Compile and strip each program."""
        for name, sources in PROGRAMS.items():
            job.run(
                [
                    f"{CROSS}gcc", *CFLAGS, "-s", "-I", GUEST / "include",
                    "-o", job.out / name, *(GUEST / source for source in sources),
                ],
                what=name,
            )  # fmt: skip
