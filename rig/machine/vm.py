# SPDX-License-Identifier: MIT
"""One running QEMU: start, what can be seen of it, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType

from rig.errors import FailureClass, RigError, infra, usage
from rig.gpu.event_table import FIREWALL_KINDS
from rig.gpu.events import EventLog
from rig.guest.console import Console
from rig.journal import Clocks, Journal
from rig.leftovers import SOCKET_PREFIX, SOCKETS
from rig.machine.launch import AGENT, AGENT_PORT, RAM_BASE, LaunchSpec
from rig.machine.process import ChildProcess, Janitor
from rig.machine.qmp import Qmp
from rig.machine.ram import FileRam, GuestRam, ProcessRam, exclusive
from rig.machine.watch import QEMU_LOG, Watch, agent_error, boot_error
from rig.store import no_space

START_TIMEOUT_S = 20.0
QUIT_TIMEOUT_S = 2.0
TERMINATE_TIMEOUT_S = 2.0

_FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b")


class Vm:
    """A guest under QEMU, as a context manager.

    On entry QEMU has started with all channels attached and its CPUs running
    (unless the spec says `paused` or `incoming`). On exit the process, the
    sockets and the RAM file are gone; the logs stay in the run folder.
    Raises `RigError`: INFRA when QEMU does not come up, USAGE for a missing file.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        *,
        start_timeout: float = START_TIMEOUT_S,
        journal: Journal | None = None,
    ) -> None:
        self._wanted = spec
        self._journal = journal
        self.spec = spec
        self._start_timeout = start_timeout
        self._stack = ExitStack()

    def __enter__(self) -> Vm:
        try:
            self._start()
        except BaseException:  # Ctrl-C too: whatever is up by now is taken down
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def qemu_log(self) -> Path:
        """What QEMU itself printed."""
        return self.spec.run_dir / QEMU_LOG

    @property
    def agent_socket(self) -> Path:
        """Socket of the guest agent's virtio-serial port."""
        return self.spec.socket(AGENT)

    @property
    def user_monitor(self) -> Path:
        """The spare QMP socket, for the user and for memory introspection."""
        return self.spec.socket("qmp-user")

    @property
    def pid(self) -> int | None:
        """QEMU's process id while it runs."""
        return self._process.pid

    def _start(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        self._check_files()
        self.spec.run_dir.mkdir(parents=True, exist_ok=True)
        sockets = socket_folder()
        self._stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        if self._wanted.ram_shared:
            self._stack.enter_context(exclusive(self._wanted.ram_file))
        else:
            self._ram_inode = self._wanted.ram_file.stat().st_ino
        self.spec = replace(self._wanted, socket_dir=sockets, paused=True)
        link = self.spec.run_dir / SOCKETS
        janitor = Janitor([sockets, link, *([self.spec.ram_file] if self.spec.ram_shared else [])])
        self._stack.callback(janitor.close)
        link.unlink(missing_ok=True)
        link.symlink_to(sockets)
        self._process = ChildProcess(self.spec.argv(), self.qemu_log)
        self._stack.callback(self._process.end, TERMINATE_TIMEOUT_S)
        by_hand = replace(self._wanted, socket_dir=Path(_short_folder()) / "rig-by-hand")
        (self.spec.run_dir / "qemu.cmdline").write_text(by_hand.shell_line() + "\n")
        self._process.start()
        clocks = Clocks(self._journal, self.spec.secure_log) if self._journal else None
        self._watch = Watch(self._process, self.spec, clocks)
        self.qmp = Qmp(self.spec.socket("qmp"), journal=self._journal)
        self._stack.callback(self.qmp.close)
        self.qmp.connect(deadline - time.monotonic(), self._died_at_start)
        self._stack.callback(self._quit)
        self.console = Console(
            self.spec.socket("console"),
            health=self.health,
            on_kernel_line=self._watch.kernel_line,
            log=self.spec.console_log,
        )
        self._stack.callback(self.console.close)
        if not (self._wanted.paused or self._wanted.incoming):
            self.qmp.cont()

    def _check_files(self) -> None:
        spec = self._wanted
        for what in (spec.qemu, spec.kernel, spec.initrd, spec.flash):
            if what is not None and not what.is_file():
                raise usage(f"{what} does not exist", "`rig build` makes what is missing")

    def _died_at_start(self) -> RigError | None:
        if self._process.status is None:
            return None
        words = self._process.last_words()
        hint = f"the rig needs {self.spec.machine}" if "machine type" in words else ""
        return infra(f"QEMU did not start: {words}", hint, self.qemu_log)

    def health(self) -> RigError | None:
        """Why the guest is not alive any more (panic, exit, crash), or None."""
        return self._watch.health()

    def agent_health(self) -> RigError | None:
        """`health`, and whether the guest's agent is still the one that came first.

        init starts another, but that one knows nothing of what was asked of the first.
        """
        if (error := self.health()) is not None:
            return error
        turns = [e for e in self.qmp.events("VSERPORT_CHANGE") if e.data.get("id") == AGENT_PORT]
        return agent_error([event.seconds for event in turns], self.spec)

    def check(self) -> None:
        """Raise what `health` says."""
        if (error := self.health()) is not None:
            raise error

    def wait_ready(self, timeout: float) -> None:
        """Wait for `rig: ready`; a failure says which part of the boot did not get there.

        FIRMWARE: TF-A, OP-TEE or BL33 did not hand over to the kernel. BOOT: the
        kernel did not reach user space, or died before its first line. LOST stays
        LOST when QEMU crashed, INFRA when the disk is full.
        """
        try:
            self.console.wait_ready(timeout)
        except RigError as error:
            if self._process.status not in (None, 0):
                raise  # QEMU itself broke: that says nothing about what it was running
            if (full := no_space(self.spec.run_dir, self.spec.ram_file.parent)) is not None:
                raise full from error  # logs end where the disk did
            raise boot_error(self.spec, self.console_log(), self.secure_log(), error) from error

    def wait_exit(self, timeout: float) -> int:
        """Wait for QEMU to end by itself (`poweroff`); its exit status. HANG when it does not."""
        status = self._process.wait(timeout)
        if status is None:
            raise RigError(
                FailureClass.HANG,
                f"the guest did not power off within {timeout:g} s",
                log=self.spec.console_log,
            )
        return status

    def console_log(self) -> str:
        """All that the console UART printed so far."""
        return _text(self.spec.console_log)

    def secure_log(self) -> str:
        """All that the secure UART printed so far (empty in the direct flavour)."""
        return _text(self.spec.secure_log)

    @cached_property
    def gpu_events(self) -> EventLog:
        """The GPU's events so far and to come."""
        return EventLog(self.spec.events_log)

    @cached_property
    def firewall_events(self) -> EventLog:
        """What the firewall was told and what it denied."""
        return EventLog(self.spec.firewall_log, "firewall", FIREWALL_KINDS)

    @cached_property
    def ram(self) -> GuestRam:
        """The guest's RAM by physical address, whatever the firewall says."""
        file, size, pid = self.spec.ram_file, self.spec.memory_mib << 20, self.pid
        ram: GuestRam
        if self.spec.ram_shared:
            ram = FileRam(file, RAM_BASE, size)
        elif pid is not None:
            ram = ProcessRam(pid, self._ram_inode, RAM_BASE, size)
        else:
            raise RigError(FailureClass.LOST, "QEMU has ended, and with it the guest's RAM")
        self._stack.callback(ram.close)
        return ram

    @cached_property
    def ssh_port(self) -> int:
        """Loopback port that leads to the guest's sshd."""
        table = self.qmp.human("info usernet")
        match = _FORWARD.search(table)
        if match is None:
            raise infra("QEMU forwards no port to the guest's sshd", log=self.qemu_log)
        return int(match[1])

    def _quit(self) -> None:
        if self._process.status is None and self.qmp.quit(QUIT_TIMEOUT_S):
            self._process.wait(QUIT_TIMEOUT_S)

    def close(self) -> None:
        """End QEMU (quit, then terminate, then kill) and remove sockets and RAM.

        Safe at every stage and more than once; a second Ctrl-C meanwhile skips to
        the next step of the ladder instead of leaving something behind.
        """
        self._stack.close()


def socket_folder() -> Path:
    """A new private folder whose path is short enough for sockets."""
    folder = _short_folder()
    try:
        return Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=folder))
    except OSError as exc:
        raise infra(
            f"cannot make a folder for sockets in {folder}: {exc.strerror}",
            "set XDG_RUNTIME_DIR or TMPDIR to a short path that you may write to",
        ) from exc


def _short_folder() -> str:
    """Where socket folders go: paths of UNIX sockets are short."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return runtime if runtime and os.access(runtime, os.W_OK) else tempfile.gettempdir()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
