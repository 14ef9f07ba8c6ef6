# SPDX-License-Identifier: MIT
"""The initramfs writer against an independent reader, and the segments made with it."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rig.artifacts.cpio import CpioWriter, normalise
from rig.artifacts.debroot import DebRoot, busybox_applets, needed
from rig.artifacts.rootfs import dropbear_key, firmware_segment, modules_segment, run_segment
from rig.errors import RigError


@dataclass(frozen=True)
class Member:
    mode: int
    mtime: int
    device: tuple[int, int]
    data: bytes


def read_newc(archive: bytes) -> dict[str, Member]:
    """Every member of concatenated newc archives, a later one over an earlier one."""
    members: dict[str, Member] = {}
    at = 0
    while at < len(archive):
        if archive[at] == 0:  # padding between segments
            at += 4
            continue
        assert archive[at : at + 6] == b"070701", at
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        _, mode, uid, gid, _, mtime, size, _, _, major, minor, name_size, check = fields
        assert (uid, gid, check) == (0, 0, 0)
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        at += -(-(110 + name_size) // 4) * 4
        data = archive[at : at + size]
        at += -(-size // 4) * 4
        if name != "TRAILER!!!":
            members[name] = Member(mode, mtime, (major, minor), data)
    return members


def test_members_come_out_as_they_went_in() -> None:
    cpio = CpioWriter()
    cpio.add_file("etc/odd", b"abc", 0o640)
    cpio.add_file("etc/empty", b"")
    cpio.add_symlink("usr/bin/sh", "busybox")
    cpio.add_device("dev/console", 5, 1)
    cpio.add_dir("tmp", 0o1777)
    members = read_newc(cpio.bytes())
    assert members["etc/odd"] == Member(stat.S_IFREG | 0o640, 0, (0, 0), b"abc")
    assert members["etc/empty"].data == b""
    assert members["usr/bin/sh"] == Member(stat.S_IFLNK | 0o777, 0, (0, 0), b"busybox")
    assert members["dev/console"] == Member(stat.S_IFCHR | 0o600, 0, (5, 1), b"")
    assert members["tmp"].mode == stat.S_IFDIR | 0o1777


def test_folders_precede_what_is_in_them() -> None:
    cpio = CpioWriter()
    cpio.add_file("a/b/c", b"x")
    names = list(read_newc(cpio.bytes()))
    assert names == ["a", "a/b", "a/b/c"]


def test_order_of_calls_does_not_matter() -> None:
    one, two = CpioWriter(), CpioWriter()
    for cpio, names in ((one, "xy"), (two, "yx")):
        for name in names:
            cpio.add_file(name, name.encode())
    assert one.bytes() == two.bytes()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/lib/modules/x", "usr/lib/modules/x"),
        ("sbin/init", "usr/sbin/init"),
        ("bin", "usr/bin"),
        ("/library/x", "library/x"),
        ("/usr/bin/../lib/x", "usr/lib/x"),
        ("/../etc", "etc"),
    ],
)
def test_merged_usr(path: str, name: str) -> None:
    assert normalise(path) == name


def test_a_segment_never_replaces_the_merged_symlinks() -> None:
    base = CpioWriter()
    base.merge_usr()
    archive = base.bytes() + firmware_segment("/lib/firmware/arm/mali/x.bin", b"fw")
    members = read_newc(archive)
    assert members["lib"].data == b"usr/lib"
    assert stat.S_ISLNK(members["lib"].mode)
    assert members["usr/lib/firmware/arm/mali/x.bin"].data == b"fw"


def test_a_file_cannot_become_a_folder() -> None:
    cpio = CpioWriter()
    cpio.add_file("etc/x", b"")
    with pytest.raises(RigError, match="two different things"):
        cpio.add_dir("etc/x")


def test_segments_are_padded() -> None:
    cpio = CpioWriter()
    cpio.add_file("x", b"123")
    assert len(cpio.bytes()) % 512 == 0


def _host_key() -> tuple[Ed25519PrivateKey, str]:
    key = Ed25519PrivateKey.generate()
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def test_dropbear_key_format() -> None:
    key, pem = _host_key()
    raw = dropbear_key(pem)
    assert raw[:15] == b"\0\0\0\x0bssh-ed25519"
    assert raw[15:19] == b"\0\0\0\x40"
    assert raw[19:51] == key.private_bytes_raw()
    assert raw[51:] == key.public_key().public_bytes_raw()


def test_run_segment() -> None:
    _, pem = _host_key()
    extra = {"/root/run.sh": b"#!/bin/sh\n", "/etc/rig/note": b"text"}
    members = read_newc(run_segment(pem, "ssh-ed25519 AAAA", extra))
    assert members["root/.ssh/authorized_keys"].data == b"ssh-ed25519 AAAA\n"
    # dropbear refuses keys that others could write or read
    assert members["root"].mode & 0o777 == 0o700
    assert members["root/.ssh"].mode & 0o777 == 0o700
    assert members["etc/dropbear/host_ed25519"].mode & 0o777 == 0o600
    assert members["root/run.sh"].mode & 0o777 == 0o755
    assert members["etc/rig/note"].mode & 0o777 == 0o644


def test_modules_segment(tmp_path: Path) -> None:
    version = tmp_path / "lib" / "modules" / "7.3.4"
    (version / "kernel").mkdir(parents=True)
    (version / "kernel" / "panthor.ko").write_bytes(b"ko")
    (version / "modules.dep").write_text("")
    (version / "build").symlink_to("/somewhere")
    members = read_newc(modules_segment(tmp_path))
    assert members["usr/lib/modules/7.3.4/kernel/panthor.ko"].data == b"ko"
    assert not any("build" in name for name in members)
    (version / "modules.dep").unlink()
    with pytest.raises(RigError, match=r"modules\.dep"):
        modules_segment(tmp_path)


def test_links_inside_the_packages_are_followed(tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib" / "openssh").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "openssh" / "server").write_bytes(b"#!")
    (tmp_path / "usr" / "lib" / "link").symlink_to("openssh/server")
    (tmp_path / "usr" / "abs").symlink_to("/usr/lib/link")
    root = DebRoot(tmp_path)
    assert root.closure(["usr/abs"]) == ["usr/abs", "usr/lib/link", "usr/lib/openssh/server"]
    with pytest.raises(RigError, match="have no"):
        root.closure(["usr/none"])


def test_needed_of_our_own_interpreter() -> None:
    names = needed(Path("/bin/sh").resolve())
    assert any(name.startswith("libc.so") for name in names)
    assert any(name.startswith("/") and "ld-linux" in name for name in names)


def test_busybox_applets() -> None:
    table = b"junk\0[\0[[\0ash\0cat\0yes\0\0more\0"
    assert busybox_applets(table) == ["[", "[[", "ash", "cat", "yes"]
    with pytest.raises(RigError):
        busybox_applets(b"no table here")
