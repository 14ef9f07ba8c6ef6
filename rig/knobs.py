# SPDX-License-Identifier: MIT
"""The emulated devices from the host's side: counters read, faults and ranges set."""

from __future__ import annotations

from rig.machine.launch import FIREWALL
from rig.machine.recording import Recorder
from rig.machine.vm import Vm

GPU_PATH = "/machine/peripheral/gpu"
FIREWALL_PATH = f"/machine/peripheral/{FIREWALL}"


class Knobs:
    """The part of a session that goes by QEMU's monitor, past the guest."""

    vm: Vm
    recorder: Recorder | None = None
    """Keeps what is set, when the guest is recorded."""

    def virtual_ns(self) -> int:
        """The guest's virtual time."""
        return int(self.vm.qmp.qom_get(GPU_PATH, "virtual-ns"))

    def counter(self, name: str) -> int:
        """One counter of the GPU."""
        return int(self.vm.qmp.qom_get(GPU_PATH, f"counter-{name}"))

    def strikes(self, fault: str) -> int:
        """How often a row of the fault plan has had an effect since this QEMU started."""
        return int(self.vm.qmp.qom_get(GPU_PATH, f"strikes-{fault}"))

    def denials(self) -> int:
        """How many accesses the firewall denied."""
        return int(self.vm.qmp.qom_get(FIREWALL_PATH, "counter-denials"))

    def protect(self, start: int, size: int) -> None:
        """Close physical memory to CPUs: in the direct flavour nobody in the guest can."""
        self._set(FIREWALL_PATH, "protect", f"{start:#x}+{size:#x}")

    def set_fault(self, name: str, value: int) -> None:
        """One row of the fault plan while the guest runs; 0 is off."""
        self._set(GPU_PATH, f"fault-{name}", value)

    def _set(self, path: str, name: str, value: str | int) -> None:
        if self.recorder is None:
            self.vm.qmp.qom_set(path, name, value)
        else:
            self.recorder.set(path, name, value)
