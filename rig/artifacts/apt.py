# SPDX-License-Identifier: MIT
"""A private apt: other suites than the machine's own, without touching its configuration.

The mirror comes from the system's own apt configuration; signatures are checked
against the distribution's archive keyring. Nothing here needs root.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.environment import build_environment
from rig.errors import RigError, infra

SUITES = ("bookworm", "trixie", "trixie-backports", "forky", "sid")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_FRESH_S = 24 * 3600.0
EXPIRED = re.compile(r"/dists/([^/\s]+)/\S* is expired \(invalid since (\d+\w+(?: \d+\w+)?)")


@dataclass(frozen=True)
class Candidate:
    """One version of a package that a suite offers."""

    package: str
    version: str
    suite: str


def system_mirror(etc: Path = Path("/etc/apt")) -> str:
    """URI of the Debian mirror that the machine itself uses.

    Raises `RigError` when the machine's apt names none.
    """
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in path.read_text().split("\n\n"):
            uri = re.search(r"^URIs:\s*(\S+)", stanza, re.MULTILINE)
            if uri and _is_main_archive(uri[1], stanza):
                return uri[1]
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        for line in path.read_text().splitlines() if path.exists() else []:
            match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(.*)", line)
            if match and _is_main_archive(match[1], match[2]):
                return match[1]
    raise infra(
        "the machine's apt configuration names no Debian mirror",
        "add a Debian source to /etc/apt/sources.list, or give source trees by path",
    )


def _is_main_archive(uri: str, rest: str) -> bool:
    names_main = re.search(r"\bmain\b", rest) is not None
    return names_main and "security" not in uri and re.search(r"/debian/?$", uri) is not None


class Apt:
    """apt with its own lists, for one architecture, under `root`; `say` tells the user."""

    def __init__(
        self, root: Path, arch: str = "amd64", *, say: Callable[[str], None] = print
    ) -> None:
        self.root = root
        self.arch = arch
        self._say = say
        self._conf = root / "apt.conf"

    def candidates(self, package: str, *, source: bool) -> list[Candidate]:
        """Versions on offer, as `apt-cache madison` lists them."""
        self._refresh()
        found = []
        for line in self._call("apt-cache", "madison", package).splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == 3 and fields[2].endswith("Sources") == source:
                suite = fields[2].split()[1].split("/")[0]
                found.append(Candidate(package, fields[1], suite))
        return found

    def download_source(self, package: str, version: str, into: Path) -> Path:
        """Fetch a source package; returns its .dsc. apt checks hashes against the signed list."""
        self._call("apt-get", "source", "-q", "--download-only", f"{package}={version}", cwd=into)
        return _only(into.glob("*.dsc"), f"{package} {version}")

    def download_binary(self, package: str, version: str, into: Path) -> Path:
        """Fetch one binary package without its dependencies."""
        self._call("apt-get", "-q", "download", f"{package}={version}", cwd=into)
        return _only(into.glob("*.deb"), f"{package} {version}")

    def download_closure(self, packages: Sequence[str], suite: str, into: Path) -> list[Path]:
        """Fetch packages of one suite with all their dependencies, for an empty system."""
        self._refresh()
        (into / "partial").mkdir(parents=True, exist_ok=True)
        self._call(
            "apt-get", "-q", "-y", "--download-only", "--no-install-recommends",
            "-t", suite, "-o", f"Dir::Cache::archives={into}", "install", *packages,
        )  # fmt: skip
        return sorted(into.glob("*.deb"))

    def _refresh(self) -> None:
        stamp = self.root / "lists" / ".refreshed"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_FRESH_S:
            return
        self._configure()
        self._update()
        stamp.touch()

    def _update(self) -> None:
        """Get the lists; a mirror that lags behind is used all the same, and that is said.

        An expired list is still signed: what it names is Debian's, only not the newest.
        Any other error stands.
        """
        update = ("apt-get", "update", "-q")
        done = self._run(*update)
        if done.returncode == 0:
            return
        errors = _errors(done.stderr)
        expired = [match for line in errors if (match := EXPIRED.search(line))]
        if not expired or len(expired) < len(errors):
            raise _apt_error(update, done.stderr)
        suites = ", ".join(match[1] for match in expired)
        self._say(
            f"  the mirror lags: its lists of {suites} expired {expired[0][2]} ago; "
            "taking them as signed"
        )
        self._call(*update, "-o", "Acquire::Check-Valid-Until=false")

    def _configure(self) -> None:
        for folder in ("lists/partial", "cache/archives/partial", "state"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        mirror = system_mirror()
        suites = SUITES if self.arch == "amd64" else SUITES[:2]
        sources = []
        for suite in suites:
            sources.append(f"deb [signed-by={KEYRING}] {mirror} {suite} main")
            if self.arch == "amd64":
                sources.append(f"deb-src [signed-by={KEYRING}] {mirror} {suite} main")
        (self.root / "sources.list").write_text("\n".join(sources) + "\n")
        (self.root / "state" / "status").touch()
        options = {
            "Dir::Etc::SourceList": self.root / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": self.root / "state",
            "Dir::State::Lists": self.root / "lists",
            "Dir::State::status": self.root / "state" / "status",
            "Dir::Cache": self.root / "cache",
            "APT::Architecture": self.arch,
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
        }
        text = "".join(f'{key} "{value}";\n' for key, value in options.items())
        self._conf.write_text(text + f'APT::Architectures {{ "{self.arch}"; }};\n')

    def _call(self, *argv: str, cwd: Path | None = None) -> str:
        done = self._run(*argv, cwd=cwd)
        if done.returncode != 0:
            raise _apt_error(argv, done.stderr)
        return done.stdout

    def _run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        if not self._conf.exists():
            self._configure()
        return subprocess.run(
            argv,
            cwd=cwd,
            env={**build_environment(), "APT_CONFIG": str(self._conf)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _errors(stderr: str) -> list[str]:
    return [line[2:].strip() for line in stderr.splitlines() if line.startswith("E:")]


def _apt_error(argv: Sequence[str], stderr: str) -> RigError:
    errors = _errors(stderr)
    reason = errors[0] if errors else (stderr.strip().splitlines() or ["no output"])[-1]
    reason = re.sub(r"\w+://\S+", "<mirror>", reason)
    return infra(
        f"{argv[0]} {argv[1] if len(argv) > 1 else ''} failed: {reason}",
        "check the machine's network and apt set-up, or give the source by path (rig build --help)",
    )


def _only(paths: object, what: str) -> Path:
    found = list(paths)  # type: ignore[call-overload]
    if len(found) != 1:
        raise infra(f"apt fetched {len(found)} files for {what} instead of one")
    path = found[0]
    assert isinstance(path, Path)
    return path
