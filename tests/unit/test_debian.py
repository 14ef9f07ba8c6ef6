# SPDX-License-Identifier: MIT
"""The Debian guest's disk, as far as no guest is needed: dpkg's database, ownership, the hook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rig import debian
from rig.artifacts import debian as disk
from rig.cli.cp import scp
from rig.environment import build_environment
from rig.errors import RigError
from rig.machine.launch import Disk
from rig.options import Options

SYSTEM = build_environment()
"""With /usr/sbin in PATH, whoever runs the tests."""
CONTROL = """Package: thing
Version: 1.0
Architecture: arm64
Multi-Arch: same
Description: a thing
 in two lines
"""


def test_an_unpacked_package_as_dpkg_writes_it() -> None:
    entry = disk.status_entry(CONTROL, [("/etc/thing.conf", "0" * 32)])
    assert entry.splitlines()[:2] == ["Package: thing", "Status: install ok unpacked"]
    assert entry.endswith("\nConffiles:\n /etc/thing.conf " + "0" * 32 + "\n")
    assert "\n\n" not in entry, "an empty line would end the paragraph"


def test_dpkg_reads_what_we_write(tmp_path: Path) -> None:
    """dpkg itself is asked, of a database of ours."""
    (tmp_path / "info").mkdir()
    (tmp_path / "updates").mkdir()
    entries = [disk.status_entry(CONTROL, []), disk.status_entry("Package: x\nVersion: 2", [])]
    (tmp_path / "status").write_text("\n".join(entries))
    query = ["dpkg-query", f"--admindir={tmp_path}", "-W", "-f", "${Package} ${Status}\n"]
    done = subprocess.run(query, capture_output=True, text=True, check=True)
    assert done.stdout == "thing install ok unpacked\nx install ok unpacked\n"


def test_files_of_a_package_that_several_architectures_have() -> None:
    assert disk.info_name(CONTROL) == "thing:arm64"
    assert disk.info_name(CONTROL.replace("same", "foreign")) == "thing"


def test_the_hook_is_a_program_that_sh_can_read(tmp_path: Path) -> None:
    script = tmp_path / "disk"
    script.write_text(debian.hook(network=False))
    assert script.read_text().startswith("#!")
    subprocess.run(["sh", "-n", script], check=True)
    assert "/usr/bin/gpuctl" in script.read_text()
    assert "sources.list" not in script.read_text(), "apt has no mirror unless it is asked for"


def test_with_the_network_apt_gets_this_machines_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "system_mirror", lambda: "http://mirror.invalid/debian")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
    text = debian.hook(network=True)
    assert "deb http://mirror.invalid/debian $VERSION_CODENAME main" in text
    assert 'Acquire::http::Proxy "http://proxy.invalid:1";' in text


def test_a_disk_is_written_to_only_when_it_is_kept() -> None:
    for keep, word in ((True, "snapshot=off"), (False, "snapshot=on")):
        (drive,) = (a for a in Disk(Path("/d,1"), keep).arguments() if a.startswith("if="))
        assert word in drive
        assert drive.endswith("file=/d,,1")


def test_a_disk_to_keep_needs_debian() -> None:
    with pytest.raises(RigError, match="no disk to keep"):
        Options(keep_disk=Path("x")).check()
    assert Options(rootfs="debian").boots
    assert not Options().boots


def test_copying_is_scp_with_the_guests_key_and_port() -> None:
    line = "ssh -i /k -p 2222 -o UserKnownHostsFile=/h root@127.0.0.1"
    assert scp(line, ["a:b", "./c:d", ":/root/x", ":"]) == [
        "scp", "-r", "-i", "/k", "-P", "2222", "-o", "UserKnownHostsFile=/h", "--",
        "./a:b", "./c:d", "root@127.0.0.1:/root/x", "root@127.0.0.1:",
    ]  # fmt: skip


def test_a_disk_made_by_a_user_belongs_to_root(tmp_path: Path) -> None:
    """As debugfs sees it: but for what a package gives to others."""
    tree, image, script = tmp_path / "tree", tmp_path / "disk", tmp_path / "script"
    (tree / "var").mkdir(parents=True)
    for name in ("var/mail box", "var/x"):
        (tree / name).write_text(name)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "8M"], check=True, env=SYSTEM)
    every = [disk.Member(p.relative_to(tree).as_posix(), 65534, 65534) for p in tree.rglob("*")]
    for owners, expected in (
        (
            every,
            {"/var": (65534, 65534), "/var/mail box": (65534, 65534), "/var/x": (65534, 65534)},
        ),
        (
            [disk.Member("var/x", 0, 42)],
            {"/var": (0, 0), "/var/mail box": (0, 0), "/var/x": (0, 42)},
        ),
    ):
        script.write_text("\n".join(disk.owner_commands(tree, owners)) + "\n")
        subprocess.run(["debugfs", "-w", "-f", script, image], check=True, env=SYSTEM)
        assert {name: owner(image, name) for name in expected} == expected


def owner(image: Path, name: str) -> tuple[int, int]:
    """uid and gid of a file on a disk."""
    ask = ["debugfs", "-R", f'stat "{name}"', str(image)]
    done = subprocess.run(ask, capture_output=True, text=True, check=True, env=SYSTEM)
    match = re.search(r"User:\s*(\d+)\s+Group:\s*(\d+)", done.stdout)
    assert match is not None, done.stdout
    return int(match[1]), int(match[2])
