# SPDX-License-Identifier: MIT
"""What each command needs on the machine, and who asks for it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from rig import doctor
from rig.cli import main as cli
from rig.errors import FailureClass, RigError
from rig.ui import Reporter

MISSING = FailureClass.INFRA.exit_code


@pytest.fixture
def lacks(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that this machine lacks; it has all others."""
    names: set[str] = set()
    monkeypatch.setattr(doctor.Requirement, "met", lambda self: self.package not in names)
    return names


def ensure(*also: str) -> str:
    said = io.StringIO()
    doctor.ensure(Reporter(Console(file=said, width=200)), *also)
    return said.getvalue()


def test_to_run_nothing_of_the_other_commands_is_needed(lacks: set[str]) -> None:
    lacks |= {"shellcheck", "clang-format", "openssh-client", "clang-14"}
    assert ensure() == ""
    assert cli._run(["doctor", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("name", "package"), [("test", "shellcheck"), ("ssh", "openssh-client"), ("fuzz", "llvm-14")]
)
def test_a_command_asks_for_what_it_needs(
    lacks: set[str], name: str, package: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lacks.add(package)
    with pytest.raises(RigError, match=f"1 packages are missing: {package}") as caught:
        ensure(name)
    assert caught.value.hint.startswith("sudo apt-get install")
    assert cli._run(["doctor", "--quiet", "--for", name]) == MISSING
    assert f"apt-get install -y --no-install-recommends {package}" in capsys.readouterr().out
    assert cli._run(["doctor", "--quiet"]) == 0


def test_the_list_says_which_command_needs_what(
    lacks: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lacks |= {"flex", "shellcheck"}
    assert cli._run(["doctor"]) == MISSING
    lines = capsys.readouterr().out.splitlines()
    heads = [number for number, line in enumerate(lines) if line.endswith(":")]
    flex = next(n for n, line in enumerate(lines) if "flex" in line)
    shellcheck = next(n for n, line in enumerate(lines) if "shellcheck" in line)
    assert heads[0] < flex < heads[1]
    assert "MISSING" in lines[flex]
    assert "make test:" in lines[:shellcheck]
    assert "not here" in lines[shellcheck]
    assert lines[-1].endswith(" flex")


def test_every_package_is_named_once() -> None:
    packages = [one.package for one in doctor.needed_by(*doctor.NEEDS)]
    assert len(packages) == len(set(packages))


def test_root_installs_what_is_missing_and_says_so(
    tmp_path: Path, lacks: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, tool = tmp_path / "log", tmp_path / "apt-get"
    tool.write_text(f'#!/bin/sh\necho "$@" >>{log}\n[ "$1" != install ] || touch {tmp_path}/done\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lacks |= {"bc", "shellcheck"}
    met = lambda self: self.package not in lacks or (tmp_path / "done").exists()  # noqa: E731
    monkeypatch.setattr(doctor.Requirement, "met", met)
    assert "installing missing packages (as root)" in ensure()
    assert log.read_text().splitlines() == [
        "update -qq",
        "install -y --no-install-recommends bc -qq",
    ]


def test_an_installation_that_does_not_help_is_told(
    tmp_path: Path, lacks: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "apt-get"
    tool.write_text("#!/bin/sh\n[ ! -e refuse ] || { echo 'E: no such package' >&2; exit 100; }\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.chdir(tmp_path)
    lacks.add("bc")
    with pytest.raises(RigError, match="still missing after installing: bc"):
        ensure()
    (tmp_path / "refuse").touch()
    with pytest.raises(RigError, match="apt-get update failed: E: no such package"):
        ensure()
