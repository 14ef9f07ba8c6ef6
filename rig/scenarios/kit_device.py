# SPDX-License-Identifier: MIT
"""The emulated GPU: its power, its faults, its events, and the memory behind it."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.machine.ram import GuestRam
from rig.scenarios.kit_channels import Channels
from rig.scenarios.terms import CLOCK, POWER, TRACE, check


class Device(Channels):
    """What a scenario does with the GPU past the driver, and what the GPU reports."""

    # ---- the GPU's power
    def suspend_gpu(self) -> None:
        """Let runtime PM suspend the GPU; returns when it is off."""
        self.sh(f"echo auto > {POWER}/control")
        self.wait(lambda: not self.gpu_powered(), "the GPU's runtime suspend")
        self.wait(lambda: self.sh(f"cat {POWER}/runtime_status").strip() == "suspended",
                  "runtime PM to call the GPU suspended")  # fmt: skip

    def resume_gpu(self) -> None:
        """Resume the GPU and keep it on; returns when the MCU has booted."""
        boots = len(self.events("mcu-boot"))
        self.sh(f"echo on > {POWER}/control")
        self.wait(lambda: len(self.events("mcu-boot")) > boots, "the MCU's boot after the resume")

    def keep_gpu_on(self) -> None:
        """No runtime suspend from here on."""
        self.sh(f"echo on > {POWER}/control")

    def suspend_gpu_uncleanly(self) -> None:
        """Suspend while the MCU ignores HALT: the GPU is off, its firmware in an unknown state.

        The way back must be a slow one: see `last_boot()["full"]` after `resume_gpu`.
        """
        since = self.session.gpu.last_seq
        with self.driver_may_complain():
            self.session.set_fault("halt-never", 1)
            self.suspend_gpu()
        self.session.set_fault("halt-never", 0)
        check(not self.events_since(since, "mcu-halt"), "the MCU halted in spite of its fault",
              FailureClass.INFRA)  # fmt: skip

    def reset_gpu(self) -> None:
        """Force a GPU reset: one cache flush never ends. Returns when the MCU has booted again.

        Whether the driver tried, gave up and recovered is told by the device: the command to
        flush, the reset, and the boot behind it.
        """
        self.keep_gpu_on()
        since = self.session.gpu.last_seq
        with self.driver_may_complain():
            self.session.set_fault("flush-never", 1)
            self.try_run("gpuctl", "groups", "1")  # maps into the MCU's space: flushes
            check(self.flushes(since), "creating a group flushed no cache: there was nothing to "
                  "lose", FailureClass.INFRA)  # fmt: skip
            self.wait(lambda: bool(self.events_since(since, "reset")),
                      "the GPU reset after a cache flush that never ended")  # fmt: skip
            reset = self.events_since(since, "reset")[0].seq
            self.wait(lambda: bool(self.events_since(reset, "mcu-boot")),
                      "the MCU's boot after the reset")  # fmt: skip
        self.last_boot()

    def flushes(self, since: int) -> list[Event]:
        """Commands to flush the caches after the event numbered `since`."""
        commands = self.events_since(since, "gpu-cmd")
        return [event for event in commands if event["cmd"].startswith("FLUSH")]

    # ---- the device
    def events(self, kind: str) -> list[Event]:
        """The device's events of one kind so far."""
        return self.session.gpu.of_kind(kind)

    def events_since(self, seq: int, kind: str) -> list[Event]:
        """The device's events of one kind after the one numbered `seq`."""
        return self.session.gpu.of_kind(kind, since=seq)

    def last(self, kind: str) -> Event:
        """The latest event of one kind."""
        found = self.events(kind)
        check(found, f"the GPU reported no {kind}")
        return found[-1]

    def power_ons(self) -> int:
        """How often the GPU was powered on, counted by the device."""
        return self.session.counter("power-ons")

    def gpu_powered(self) -> bool:
        """Whether the GPU's L2, which everything hangs on, is powered now."""
        power = [e for e in self.events("power") if e["domain"] == "l2"]
        return bool(power and power[-1]["ready"])

    def runtime_usage(self) -> int:
        """How often runtime PM is told to keep the GPU's device on, now."""
        return int(self.sh(f"cat {POWER}/runtime_usage"))

    def clock_enables(self) -> int:
        """How often the GPU's core clock is enabled now."""
        return int(self.sh(f"cat /sys/kernel/debug/clk/{CLOCK}/clk_enable_count"))

    def trace_clocks(self) -> None:
        """From here on the kernel notes who enables clocks (trace event clk:clk_enable)."""
        self.sh(f"echo 1 > {TRACE}/events/clk/clk_enable/enable")

    def traced_enables(self) -> int:
        """How often the GPU's core clock was enabled since `trace_clocks`."""
        return self.sh(f"cat {TRACE}/trace").count(f"clk_enable: {CLOCK}\n")

    @property
    def ram(self) -> GuestRam:
        """The guest's memory by physical address, read and written past every CPU and firewall."""
        return self.session.vm.ram

    def last_boot(self) -> Event:
        """The MCU's last boot, which must have gone well."""
        boot = self.last("mcu-boot")
        check(boot["ok"], "the MCU's last boot failed", FailureClass.PROBE)
        return boot

    def prot_sections(self) -> list[Event]:
        """The PROT sections as the MCU found them mapped at its last boot."""
        boot = self.last_boot()
        before = [e.seq for e in self.events("mcu-boot") if e.seq < boot.seq]
        # a boot reports its sections first and its outcome last
        since = before[-1] if before else -1
        found = [e for e in self.events("section") if since < e.seq < boot.seq and e["prot"]]
        check(found, "the firmware image has no PROT section", FailureClass.INFRA)
        return found
