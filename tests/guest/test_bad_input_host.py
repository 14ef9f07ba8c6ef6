# SPDX-License-Identifier: MIT
"""A host that does not play along: a full disk, no folder for sockets, a port that is taken."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from rig.errors import FailureClass, RigError
from rig.machine.launch import LaunchSpec
from rig.machine.vm import Vm
from rig.paths import REPO
from rig.store import Store
from tests.guest.damage import check_clean, fresh_bed, running

SCENARIO = "probe-defer/no-parameter"


@dataclass(frozen=True)
class Ended:
    """One `rig run`."""

    code: int
    output: str

    def check(self, failure: FailureClass, says: str) -> None:
        """The right exit code, one line that says why and one that says what next."""
        assert self.code == failure.exit_code, self.output
        assert says in self.output
        assert "next: " in self.output
        assert "Traceback" not in self.output

    @property
    def run_dir(self) -> Path:
        """Where its logs are, as it said."""
        (line,) = [line for line in self.output.splitlines() if line.startswith("logs: ")]
        return Path(line.removeprefix("logs: "))


@cache
def namespace() -> tuple[str, ...]:
    """The `unshare` that this machine allows: root's own, or one that needs no root.

    In a chroot the kernel refuses the second, in some containers both.
    """
    for command in (("unshare", "-m"), ("unshare", "-r", "-m")):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("no mount namespaces here: run as root, or sysctl user.max_user_namespaces")


def rig_in_a_namespace(prepare: str, *argv: str, cwd: Path = REPO) -> Ended:
    """`rig run` with mounts of its own, made by a line of shell."""
    line = f'{prepare} && exec "$0" -m rig.cli.main run "$@"'
    done = subprocess.run(
        [*namespace(), "sh", "-c", line, sys.executable, *argv],
        capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )  # fmt: skip
    output = done.stdout + done.stderr
    print(output)  # pytest shows it when a test fails
    return Ended(done.returncode, output)


@pytest.mark.parametrize("size", ["8m", "60m"], ids=["no-room-to-start", "no-room-to-run"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    """The first ends while the initramfs is written, the second when the guest fills its RAM."""
    bed = fresh_bed()
    bed.build_all()
    store = Store()
    runs = store.root / "runs"
    ended = rig_in_a_namespace(
        f"mount -t tmpfs -o size={size} none {runs}", "--cold", "--json", f"{tmp_path}/v", SCENARIO
    )
    ended.check(FailureClass.INFRA, "no space left on the disk that holds ")
    assert ended.run_dir.is_relative_to(runs)
    assert not running("qemu-system", ended.run_dir)
    assert store.find("image", bed.image.name) is not None
    assert store.find("rootfs", bed.rootfs.parent.name) is not None


def test_nowhere_to_put_sockets() -> None:
    """Read-only temporary folders, and no other that Python would take."""
    mounts = " && ".join(f"mount -t tmpfs -o ro none {path}" for path in ("/tmp", "/var/tmp"))
    unset = "unset XDG_RUNTIME_DIR TMPDIR TEMP TMP"
    ended = rig_in_a_namespace(f"{mounts} && {unset}", SCENARIO, cwd=Path("/proc"))
    ended.check(FailureClass.INFRA, "no folder for temporary files and sockets can be written")
    assert "set TMPDIR, or XDG_RUNTIME_DIR" in ended.output


def test_a_folder_for_sockets_that_is_too_deep(tmp_path: Path) -> None:
    """Paths of UNIX sockets are short."""
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    ended = rig_in_a_namespace(f"export XDG_RUNTIME_DIR={deep}", SCENARIO)
    ended.check(FailureClass.USAGE, "is too long for a UNIX socket")
    assert not running("qemu-system", ended.run_dir)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The rig lets the host choose a port; who pins one that is taken is told so."""
    bed = fresh_bed()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        spec = LaunchSpec(
            qemu=bed.qemu / "bin" / "qemu-system-aarch64",
            flavour="direct",
            kernel=bed.image / "Image",
            initrd=bed.rootfs,
            run_dir=tmp_path,
            ram_file=tmp_path / "ram",
            ssh_port=taken.getsockname()[1],
        )
        with pytest.raises(RigError) as caught, Vm(spec):
            pass
    assert caught.value.failure is FailureClass.INFRA
    assert "QEMU did not start" in caught.value.message
    assert f"tcp:127.0.0.1:{spec.ssh_port}-:22" in caught.value.message
    assert caught.value.log == tmp_path / "qemu.log"
    assert not running("qemu-system", tmp_path)
    check_clean(tmp_path)


def test_two_guests_at_a_time_get_ports_of_their_own(tmp_path: Path) -> None:
    bed = fresh_bed()
    ports = []
    specs = [
        LaunchSpec(
            qemu=bed.qemu / "bin" / "qemu-system-aarch64",
            flavour="direct",
            kernel=bed.image / "Image",
            initrd=bed.rootfs,
            run_dir=tmp_path / name,
            ram_file=tmp_path / name / "ram",
        )
        for name in ("one", "two")
    ]
    with Vm(specs[0]) as one, Vm(specs[1]) as two:
        ports = [one.ssh_port, two.ssh_port]
    assert len(set(ports)) == 2
    assert not running("qemu-system", tmp_path)
