# SPDX-License-Identifier: MIT
"""rustc and bindgen for kernels with Rust in them, put together from Debian's packages.

Debian 12's own are too old (Linux 7.3 wants rustc 1.85 and bindgen 0.71.1:
scripts/min-tool-version.sh), and those of Debian 13 need its C library. So the packages are
unpacked into a folder, not installed, and each program runs by the loader that came along.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rig.artifacts.recipe import Builder, Job, Recipe
from rig.artifacts.sources import DebSet
from rig.environment import clean_path
from rig.errors import infra

PACKAGES = ("rustc", "rust-src", "bindgen", "libclang1-19")
SUITES = ("trixie",)
UNPACKED = (
    "rustc", "rust-src", "libstd-rust-", "bindgen", "libllvm19", "libclang1-19",
    "libclang-common-19-dev", "libc6_", "libgcc-s1", "libstdc++6", "libz3-4", "zlib1g", "libzstd1",
    "libxml2", "liblzma5", "libffi8", "libedit2", "libtinfo6", "libbsd0", "libmd0",
)  # fmt: skip
"""Of what these need, what runs here: no compiler, no linker (the kernel's gcc is both)."""
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LIBCLANG = "usr/lib/llvm-19/lib"


class RustRecipe(Recipe):
    """A folder with `bin/rustc`, `bin/bindgen` and, at `library`, the source of Rust's core."""

    name: ClassVar[str] = "rust"
    version: ClassVar[int] = 1

    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """The packages, and which of them are unpacked."""
        return {"debs": _debs(builder).digest, "unpacked": repr(UNPACKED)}

    def build(self, job: Job) -> None:
        """Unpack, write the two wrappers, and ask each program for its version."""
        for deb in _debs(job.builder).paths:
            if deb.name.startswith(UNPACKED):
                job.run(["dpkg-deb", "-x", deb, job.out], what=f"unpacking {deb.name}")
        for folder in ("usr/share", "usr/lib/llvm-19/build"):
            shutil.rmtree(job.out / folder, ignore_errors=True)
        sources = list(job.out.glob("usr/src/rustc-*/library"))
        if len(sources) != 1:
            raise infra("rust-src has no library where it used to be")
        (job.out / "library").symlink_to(sources[0].relative_to(job.out))
        (job.out / "bin").mkdir()
        for name in ("rustc", "bindgen"):
            program = job.out / "bin" / name
            program.write_text(wrapper(name))
            program.chmod(0o755)
            job.run([program, "--version"], what=f"{name} of Debian 13")


def wrapper(name: str) -> str:
    """A program that starts one of the unpacked ones, wherever the folder is by then."""
    return f"""#!/bin/sh
# SPDX-License-Identifier: MIT
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export LIBCLANG_PATH="$root/{LIBCLANG}"
exec "$root/{LIBRARIES}/ld-linux-x86-64.so.2" --argv0 "$0" \\
    --library-path "$root/{LIBRARIES}:$root/{LIBCLANG}" "$root/usr/bin/{name}" "$@"
"""


def environment(toolchain: Path) -> dict[str, str]:
    """What kbuild finds it by."""
    return {
        "PATH": f"{toolchain / 'bin'}:{clean_path()}",
        "RUST_LIB_SRC": str(toolchain / "library"),
    }


def _debs(builder: Builder) -> DebSet:
    return builder.sources.debs(PACKAGES, SUITES, "amd64")
