# SPDX-License-Identifier: MIT
"""The QEMU command line, word by word."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from rig.errors import RigError
from rig.machine.launch import UNIX_PATH_MAX, GpuSpec, LaunchSpec

DIRECT = LaunchSpec(
    qemu=Path("/q/qemu-system-aarch64"),
    flavour="direct",
    kernel=Path("/k/Image"),
    initrd=Path("/k/initrd.cpio"),
    run_dir=Path("/run/1"),
    ram_file=Path("/dev/shm/ram"),
)
SECURE = replace(
    DIRECT,
    flavour="secure",
    flash=Path("/f/flash.bin"),
    gpu=GpuSpec("g610", cs_ips=1000, faults={"fault-ping": 2, "fault-boot": True}),
    ssh_port=2222,
    socket_dir=Path("/tmp/s"),
    paused=True,
)

GOLDEN_DIRECT = """
/q/qemu-system-aarch64 -name panthor-rig,debug-threads=on -nodefaults -no-user-config -display none
-machine virt-10.0,gic-version=3,memory-backend=ram -accel tcg,thread=multi
-cpu cortex-a57 -smp 2 -m 512M
-object memory-backend-file,id=ram,size=512M,share=on,mem-path=/dev/shm/ram
-action reboot=shutdown,shutdown=poweroff
-kernel /k/Image -initrd /k/initrd.cpio
-append 'console=ttyAMA0 printk.time=1 console_msg_format=syslog loglevel=8 panic=0'
-chardev socket,id=console,path=/run/1/console.sock,server=on,wait=off,logfile=/run/1/console.log,logappend=off
-serial chardev:console
-chardev socket,id=agent,path=/run/1/agent.sock,server=on,wait=off
-device virtio-serial-device -device virtserialport,id=agent-port,chardev=agent,name=rig.agent
-chardev socket,id=qmp,path=/run/1/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control
-chardev socket,id=qmp-user,path=/run/1/qmp-user.sock,server=on,wait=off
-mon chardev=qmp-user,mode=control
-device virtio-rng-device -device vmcoreinfo
-netdev user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22
-device virtio-net-device,netdev=net
-chardev file,id=fwev,path=/run/1/firewall-events.jsonl -device tzc400,id=firewall,events=fwev
"""  # noqa: E501

GOLDEN_SECURE = """
/q/qemu-system-aarch64 -name panthor-rig,debug-threads=on -nodefaults -no-user-config -display none
-machine virt-10.0,gic-version=3,secure=on,memory-backend=ram -accel tcg,thread=multi
-cpu cortex-a57 -smp 2 -m 512M
-object memory-backend-file,id=ram,size=512M,share=on,mem-path=/dev/shm/ram
-action reboot=shutdown,shutdown=poweroff
-bios /f/flash.bin -kernel /k/Image -initrd /k/initrd.cpio
-append 'console=ttyAMA0 printk.time=1 console_msg_format=syslog loglevel=8 panic=0'
-chardev socket,id=console,path=/tmp/s/console.sock,server=on,wait=off,logfile=/run/1/console.log,logappend=off
-serial chardev:console
-chardev file,id=secure,path=/run/1/secure.log -serial chardev:secure
-chardev socket,id=agent,path=/tmp/s/agent.sock,server=on,wait=off
-device virtio-serial-device -device virtserialport,id=agent-port,chardev=agent,name=rig.agent
-chardev socket,id=qmp,path=/tmp/s/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control
-chardev socket,id=qmp-user,path=/tmp/s/qmp-user.sock,server=on,wait=off
-mon chardev=qmp-user,mode=control
-device virtio-rng-device -device vmcoreinfo
-netdev user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:2222-:22
-device virtio-net-device,netdev=net
-chardev file,id=fwev,path=/run/1/firewall-events.jsonl -device tzc400,id=firewall,events=fwev
-chardev file,id=gpuev,path=/run/1/gpu-events.jsonl
-device mali-csf,id=gpu,gpu=g610,coherent=on,cs-ips=1000,events=gpuev,firewall=firewall,fault-boot=on,fault-ping=2
-S
"""  # noqa: E501


@pytest.mark.parametrize(
    ("spec", "golden"), [(DIRECT, GOLDEN_DIRECT), (SECURE, GOLDEN_SECURE)], ids=["direct", "secure"]
)
def test_the_whole_line(spec: LaunchSpec, golden: str) -> None:
    assert spec.argv() == shlex.split(golden)


def test_a_firewall_that_is_off_is_still_there_for_op_tee() -> None:
    argv = replace(SECURE, firewall=False).argv()
    assert "tzc400,id=firewall,events=fwev,enforce=off" in argv


def test_the_pasted_line_is_the_line() -> None:
    folders, line = SECURE.shell_line().split(" && ")
    assert folders == "mkdir -p /run/1 /tmp/s"
    assert shlex.split(line) == SECURE.argv()


def test_a_comma_in_a_path_is_no_separator() -> None:
    argv = replace(DIRECT, run_dir=Path("/run/a,b")).argv()
    assert any("path=/run/a,,b/agent.sock," in word for word in argv)


def test_restore_and_extra_arguments_come_last() -> None:
    spec = replace(DIRECT, incoming=Path("/s/state"), extra=("-d", "guest_errors"))
    assert spec.argv()[-4:] == ["-incoming", "defer", "-d", "guest_errors"]
    by_hand = "-incoming file:/s/state -global migration.x-ignore-shared=on -d guest_errors"
    assert spec.shell_line().endswith(by_hand)
    assert "share=off" in " ".join(replace(DIRECT, ram_shared=False).argv())


def test_firmware_belongs_to_the_secure_flavour_alone() -> None:
    with pytest.raises(RigError, match="secure flavour needs"):
        replace(DIRECT, flavour="secure")
    with pytest.raises(RigError, match="direct flavour has no"):
        replace(DIRECT, flash=Path("/f"))


def test_a_socket_path_that_is_too_long_is_told_before_qemu_is() -> None:
    deep = replace(DIRECT, run_dir=Path("/" + "d" * (UNIX_PATH_MAX - len("/qmp.sock"))))
    with pytest.raises(RigError, match="too long for a UNIX socket"):
        deep.argv()
