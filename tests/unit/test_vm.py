# SPDX-License-Identifier: MIT
"""One machine from start to end, on a QEMU that misbehaves on order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tests.fakes
from rig import store as store_module
from rig.errors import FailureClass, RigError
from rig.guest.shell import sh
from rig.machine import vm as vm_module
from rig.machine import watch as watch_module
from rig.machine.launch import RAM_BASE, Flavour, LaunchSpec
from rig.machine.vm import Vm
from rig.machine.watch import agent_error, boot_error
from rig.paths import REPO

FAKE = Path(tests.fakes.__file__).parent / "qemu.py"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LaunchSpec]:
    """A line that starts the fake QEMU; at the end nothing of it may be left."""
    qemu = tmp_path / "qemu-fake"
    qemu.write_text(f'#!/bin/sh\nexec {sys.executable} -S {FAKE} "$@"\n')
    qemu.chmod(0o755)
    for name in ("Image", "initrd"):
        (tmp_path / name).touch()
    sockets = tmp_path / "x"
    sockets.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(sockets))
    yield LaunchSpec(
        qemu=qemu,
        flavour="direct",
        kernel=tmp_path / "Image",
        initrd=tmp_path / "initrd",
        run_dir=tmp_path / "run",
        ram_file=tmp_path / "ram",
        memory_mib=1,
    )
    assert list(sockets.iterdir()) == []
    assert not (tmp_path / "ram").exists()
    assert not (tmp_path / "run" / "sockets").is_symlink()


def ordered(spec: LaunchSpec, mode: str) -> LaunchSpec:
    return replace(spec, append=f"fake={mode}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_a_run_from_start_to_end(spec: LaunchSpec) -> None:
    with Vm(spec) as vm:
        vm.wait_ready(5)
        assert sh(vm.console, "echo hello", timeout=5).output == "hello\n"
        assert vm.ssh_port == 40022
        assert vm.qmp.qom_get("/machine", "any") == 7
        assert vm.qmp.wait_event("RESUME", 1).name == "RESUME"
        assert vm.gpu_events.read() == []
        vm.ram.write(RAM_BASE + 16, b"mark")
        assert spec.ram_file.read_bytes()[16:20] == b"mark"
        assert vm.ram.find(b"mark") == RAM_BASE + 16
        assert vm.health() is None
        pid = vm.pid or 0
        assert alive(pid)
        assert (spec.run_dir / "sockets" / "qmp-user.sock").exists()
    assert not alive(pid)
    assert "rig: ready" in vm.console_log()
    assert vm.secure_log() == ""


def test_ram_is_bounds_checked(spec: LaunchSpec) -> None:
    with Vm(spec) as vm:
        for address, length in ((RAM_BASE - 1, 1), (RAM_BASE + (1 << 20) - 1, 2), (RAM_BASE, -1)):
            with pytest.raises(RigError, match="not in the guest's RAM"):
                vm.ram.read(address, length)


def test_qemu_that_dies_at_start_tells_its_own_reason(spec: LaunchSpec) -> None:
    with pytest.raises(RigError, match="no such GPU 'g0'") as caught, Vm(ordered(spec, "die")):
        pass
    assert caught.value.failure is FailureClass.INFRA
    assert caught.value.log == spec.run_dir / "qemu.log"


def test_qemu_that_cannot_be_run(spec: LaunchSpec) -> None:
    with pytest.raises(RigError, match="did not start"), Vm(replace(spec, qemu=spec.kernel)):
        pass


def test_a_missing_file_is_named_before_anything_starts(spec: LaunchSpec) -> None:
    gone = spec.kernel.with_name("nothing")
    with pytest.raises(RigError, match="nothing does not exist") as caught:
        Vm(replace(spec, kernel=gone)).__enter__()
    assert caught.value.failure is FailureClass.USAGE


def test_qemu_that_opens_no_monitor(spec: LaunchSpec) -> None:
    with pytest.raises(RigError) as caught, Vm(ordered(spec, "mute"), start_timeout=0.2):
        pass
    assert caught.value.failure is FailureClass.INFRA


def test_two_guests_cannot_share_a_ram_file(spec: LaunchSpec) -> None:
    with Vm(spec), pytest.raises(RigError, match="another guest uses the RAM file"):
        Vm(replace(spec, run_dir=spec.run_dir / "2")).__enter__()


def test_a_panic_at_boot_is_not_waited_out(
    spec: LaunchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "PANIC_GRACE_S", 0.05)
    with Vm(ordered(spec, "panic")) as vm:
        with pytest.raises(RigError, match="panicked: VFS: Unable to mount") as caught:
            vm.wait_ready(30)
        assert caught.value.failure is FailureClass.BOOT
        assert isinstance(caught.value.__cause__, RigError)
        assert caught.value.__cause__.failure is FailureClass.OOPS


def test_a_crash_of_qemu_is_lost_with_its_last_words(spec: LaunchSpec) -> None:
    with Vm(spec) as vm:
        vm.wait_ready(5)
        with pytest.raises(RigError) as caught:
            vm.qmp.execute("fake-crash")
        assert caught.value.failure is FailureClass.LOST
        with pytest.raises(RigError, match=r"killed by signal 11: .*Assertion `ok' failed"):
            sh(vm.console, "true", timeout=5)


def test_qemu_that_ignores_every_plea_is_killed(
    spec: LaunchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vm_module, "QUIT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(vm_module, "TERMINATE_TIMEOUT_S", 0.1)
    with Vm(ordered(spec, "deaf")) as vm:
        pid = vm.pid or 0
    assert not alive(pid)


def test_a_stopped_qemu_is_killed_too(spec: LaunchSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_module, "QUIT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(vm_module, "TERMINATE_TIMEOUT_S", 0.1)
    with Vm(spec) as vm:
        pid = vm.pid or 0
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)


def test_it_outlives_the_thread_that_started_it(spec: LaunchSpec) -> None:
    """PR_SET_PDEATHSIG follows the thread that forked; that must not be the caller's."""
    machine = Vm(spec)
    starter = threading.Thread(target=machine.__enter__)
    starter.start()
    starter.join()
    machine.wait_ready(5)
    assert sh(machine.console, "echo here", timeout=5).output == "here\n"
    machine.close()


def test_a_folder_that_cannot_hold_sockets(
    spec: LaunchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vm_module, "_short_folder", lambda: str(spec.kernel))
    with pytest.raises(RigError, match=r"cannot make a folder for sockets in .*Image") as caught:
        Vm(spec).__enter__()
    assert caught.value.failure is FailureClass.INFRA
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_a_guest_whose_disk_is_full_is_not_blamed(
    spec: LaunchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU dies of a SIGBUS when a page of the RAM's file cannot be had."""
    with Vm(spec) as vm:
        vm.wait_ready(5)
        monkeypatch.setattr(store_module, "_HARDLY_ANY", 1 << 62)
        os.kill(vm.pid or 0, signal.SIGBUS)
        with pytest.raises(RigError, match="no space left on the disk") as caught:
            sh(vm.console, "true", timeout=5)
        assert caught.value.failure is FailureClass.INFRA


EXCEPTION = "BL33: ERROR: unexpected exception, esr 0x2000000 elr {} far 0x0\n"
BOOTED = "I/TC: Primary CPU switching to normal world boot\n"


@pytest.mark.parametrize(
    ("flavour", "console", "secure", "told"),
    [
        ("direct", "", "", (FailureClass.BOOT, "too late")),
        ("secure", "[ 0.0] Booting Linux on\n", "", (FailureClass.BOOT, "too late")),
        ("secure", "", "", (FailureClass.FIRMWARE, "it said last: nothing")),
        ("secure", "", "NOTICE: x\nERROR: BL2\n", (FailureClass.FIRMWARE, "last: ERROR: BL2")),
        ("secure", "", BOOTED, (FailureClass.BOOT, "died before its first line")),
        ("secure", "BL33: ERROR: -kernel is short\n", BOOTED, (FailureClass.BOOT, "is short")),
        ("secure", EXCEPTION.format("0x40bb9068"), BOOTED, (FailureClass.BOOT, "at 0x40bb9068")),
        ("secure", EXCEPTION.format("0x40100abc"), BOOTED, (FailureClass.FIRMWARE, "exception")),
        ("secure", "BL33: ERROR: no tree\n", BOOTED, (FailureClass.FIRMWARE, "no tree")),
    ],
)  # fmt: skip
def test_who_stopped_the_boot(
    spec: LaunchSpec, flavour: Flavour, console: str, secure: str, told: tuple[FailureClass, str]
) -> None:
    flash = spec.kernel if flavour == "secure" else None
    secured = replace(spec, flavour=flavour, flash=flash)
    error = boot_error(secured, console, secure, RigError(FailureClass.HANG, "too late"))
    assert error.failure is told[0]
    assert told[1] in error.message
    assert error.log is not None


def test_an_agent_that_was_started_again_is_not_the_same(spec: LaunchSpec) -> None:
    now = time.time()
    assert agent_error([now - 9], spec) is None
    assert agent_error([now - 9, now], spec) is None  # perhaps the whole guest powers off
    error = agent_error([now - 9, now - 2], spec)
    assert error is not None
    assert error.failure is FailureClass.LOST


def test_nothing_outlives_a_rig_that_is_killed(spec: LaunchSpec) -> None:
    program = f"""
        from pathlib import Path
        from rig.machine.launch import LaunchSpec
        from rig.machine.vm import Vm
        spec = LaunchSpec(qemu=Path({str(spec.qemu)!r}), flavour="direct", memory_mib=1,
                          kernel=Path({str(spec.kernel)!r}), initrd=Path({str(spec.initrd)!r}),
                          run_dir=Path({str(spec.run_dir)!r}),
                          ram_file=Path({str(spec.ram_file)!r}))
        with Vm(spec) as vm:
            print(vm.pid, flush=True)
            vm.console.run(["sleep", "60"], timeout=60)
    """
    rig = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=REPO
    )
    assert rig.stdout is not None
    pid = int(rig.stdout.readline())
    rig.kill()
    rig.communicate()
    wait_gone(pid)
    deadline = time.monotonic() + 5
    while spec.ram_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
