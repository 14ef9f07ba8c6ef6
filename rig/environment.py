# SPDX-License-Identifier: MIT
"""What tools get of the user's environment, and paths that tools can bear.

make, kbuild, configure and gcc take settings from the environment (CC, LLVM, ARCH,
CROSS_COMPILE, KCFLAGS, CFLAGS, MAKEFLAGS, KBUILD_*, CPATH, …) that no content key
knows. A build therefore sees an allow-list, not `os.environ`.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from rig.errors import infra, usage

KEPT = frozenset(
    (
        # who and where: ccache, pip and gcc keep their files there
        *("HOME", "USER", "LOGNAME", "TMPDIR", "TERM", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
        # how apt and pip reach the network
        *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
        *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
        # whom they trust
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    )
)
KEPT_PREFIXES = ("PIP_", "CCACHE_")
"""pip's index and certificates; where ccache keeps what and how much."""
DROPPED_PREFIXES = ("CCACHE_COMPILER", "CCACHE_PREFIX")
"""These make ccache run another compiler than the one in the content key."""
_HOSTILE = re.compile(r"[\s:#$%'\"\\;&|<>()*?`]")


def build_environment() -> dict[str, str]:
    """The user's environment as builds, apt and the probes for tool versions see it.

    The locale is fixed, not the user's: errors are found by their words, and tools sort by it.
    """
    mine = {name: value for name, value in os.environ.items() if _kept(name)}
    return {**mine, "PATH": clean_path(), "LC_ALL": "C.UTF-8"}


def _kept(name: str) -> bool:
    wanted = name in KEPT or name.startswith(KEPT_PREFIXES)
    return wanted and not name.startswith(DROPPED_PREFIXES)


def clean_path() -> str:
    """PATH for builds: our own Python first (pyelftools, cryptography), then the system's tools.

    Raises `RigError` (USAGE) when our own Python lies where PATH or make cannot name it.
    """
    folder = Path(sys.executable).parent
    require_plain(
        folder, "the rig's Python environment", "move the checkout, then `make clean run`"
    )
    return f"{folder}:/usr/bin:/bin:/usr/sbin:/sbin"


def require_plain(path: Path, what: str, hint: str) -> None:
    """Raise `RigError` (USAGE) for a path that kbuild, QEMU's configure or PATH cannot bear."""
    found = _HOSTILE.search(str(path))
    if found is not None:
        name = {" ": "a space", ":": "a colon"}.get(found[0], repr(found[0]))
        raise usage(f"{what} lies below a path with {name} in it, which make refuses: {path}", hint)


def require_temporary() -> None:
    """Raise `RigError` (INFRA) when no folder can hold temporary files and sockets."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as exc:
        raise infra(
            "no folder for temporary files and sockets can be written: "
            + str(exc.strerror).partition(" in ")[2],
            "set TMPDIR, or XDG_RUNTIME_DIR, to a short path that you may write to",
        ) from exc
