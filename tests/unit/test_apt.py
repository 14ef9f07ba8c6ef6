# SPDX-License-Identifier: MIT
"""The private apt, with an apt-get of the test's own on PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.artifacts import apt as apt_module
from rig.artifacts.apt import Apt, system_mirror
from rig.errors import RigError

EXPIRED = (
    "E: Release file for http://mirror.example/debian/dists/{suite}/InRelease is expired"
    " (invalid since 15d 7h 9min 10s). Updates for this repository will not be applied."
)


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH; its apt-get logs its calls and fails with `stderr` once."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script = tools / "apt-get"
    script.write_text(
        f"""#!/bin/sh
echo "$@" >> {tools}/calls
case "$*" in *Check-Valid-Until=false*) exit 0;; esac
[ -s {tools}/stderr ] || exit 0
cat {tools}/stderr >&2; exit 100
"""
    )
    script.chmod(0o755)
    monkeypatch.setattr(apt_module, "system_mirror", lambda: "http://mirror.example/debian")
    own = {"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    monkeypatch.setattr(apt_module, "build_environment", lambda: own)
    return tools


def refreshed(tmp_path: Path, tools: Path, *errors: str) -> tuple[list[str], list[str]]:
    """What was said and which apt-get calls were made by one refresh."""
    (tools / "stderr").write_text("".join(f"{line}\n" for line in errors))
    said: list[str] = []
    apt = Apt(tmp_path / "apt", say=said.append)
    apt.candidates("no-such-package-of-the-test", source=True)
    return said, (tools / "calls").read_text().splitlines()


def test_a_mirror_that_lags_is_used_and_named(tmp_path: Path, fake_apt: Path) -> None:
    said, calls = refreshed(
        tmp_path, fake_apt, EXPIRED.format(suite="forky"), EXPIRED.format(suite="sid")
    )
    assert said == [
        "  the mirror lags: its lists of forky, sid expired 15d 7h ago; taking them as signed"
    ]
    assert calls == ["update -q", "update -q -o Acquire::Check-Valid-Until=false"]


def test_fresh_lists_are_taken_silently_and_once(tmp_path: Path, fake_apt: Path) -> None:
    said, calls = refreshed(tmp_path, fake_apt)
    assert (said, calls) == ([], ["update -q"])
    assert refreshed(tmp_path, fake_apt) == ([], ["update -q"])


@pytest.mark.parametrize("also", [[], [EXPIRED.format(suite="sid")]])
def test_another_error_stands(tmp_path: Path, fake_apt: Path, also: list[str]) -> None:
    refusal = "E: The repository 'http://mirror.example/debian sid' is not signed."
    with pytest.raises(RigError, match="is not signed") as caught:
        refreshed(tmp_path, fake_apt, refusal, *also)
    assert "mirror.example" not in caught.value.message


def test_a_failing_update_without_a_reason_stands(tmp_path: Path, fake_apt: Path) -> None:
    with pytest.raises(RigError, match="apt-get update failed: killed"):
        refreshed(tmp_path, fake_apt, "killed")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n",
        ),
        ("sources.list", "deb [arch=amd64] http://mirror.example/debian bookworm main\n"),
    ],
)
def test_the_mirror_is_the_machines_own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert system_mirror(tmp_path) == "http://mirror.example/debian"


def test_security_archives_are_no_main_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    with pytest.raises(RigError, match="names no Debian mirror"):
        system_mirror(tmp_path)
