# SPDX-License-Identifier: MIT
"""The ways in which a driver is brought to meet a fault: `way` of fault_trials.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rig.deadlines import scaled
from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.guest.agent import Process
from rig.scenarios.fault_trials import Trial
from rig.scenarios.kit import Scenario, check
from rig.scenarios.terms import POWER

PING_S = 30
"""Twice the driver's PING_INTERVAL_MS (panthor_fw.c:33), and some."""
CLIENT_S = 30
"""Job timeout (panthor_sched.c:93) or progress timer, and some."""

UNRECOVERABLE = {"cs-fatal-code": 0x41, "cs-fatal-at": 3}
"""CS_UNRECOVERABLE is what the driver resets the GPU for (panthor_sched.c:1498-1503)."""


@dataclass
class Trying:
    """One trial under way."""

    rig: Scenario
    trial: Trial
    heap: str | None
    since: int = 0
    strikes: int = 0

    def arm(self) -> None:
        """Set the fault and those that belong to it."""
        self.since = self.rig.session.gpu.last_seq
        self.strikes = self.rig.session.strikes(self.trial.fault)
        for name, value in {**self.trial.plan, self.trial.fault: self.trial.value}.items():
            self.rig.session.set_fault(name, value)

    def disarm(self) -> None:
        """Take them away."""
        for name in (*self.trial.plan, self.trial.fault):
            self.rig.session.set_fault(name, 0)

    def struck(self) -> int:
        """Effects of the row since `arm`."""
        return self.rig.session.strikes(self.trial.fault) - self.strikes

    def events(self, kind: str) -> list[Event]:
        """The device's events since `arm`."""
        return self.rig.events_since(self.since, kind)

    def resets(self) -> int:
        """Resets that the host asked for; protected mode ends with a fast one of its own."""
        return len([event for event in self.events("reset") if event["kind"] != "fast"])


# ---- the ways to meet a fault; each returns what the driver or the client came to


def probe(now: Trying) -> str:
    """The driver is loaded."""
    unload(now.rig)
    now.arm()
    now.rig.load_panthor(now.heap)
    return "bound" if now.rig.bound() else "not bound"


def client(now: Trying) -> str:
    """gpuctl runs, on a GPU that is on."""
    now.arm()
    return run_client(now, now.trial.argv)


def wake(now: Trying) -> str:
    """The GPU is resumed by a job."""
    now.rig.suspend_gpu()
    now.arm()
    return run_client(now, now.trial.argv)


def rest(now: Trying) -> str:
    """The GPU is suspended, and resumed by a job."""
    now.arm()
    now.rig.suspend_gpu()
    now.disarm()
    return run_client(now, now.trial.argv)


def held(now: Trying) -> str:
    """gpuctl stays in protected mode until the driver knows that it is there."""
    now.arm()
    process = now.rig.spawn("gpuctl", *now.trial.argv)
    now.rig.wait(lambda: any(event["acked"] for event in now.events("protm-enter")),
                 "protected mode", timeout=CLIENT_S)  # fmt: skip
    # the driver's look at GPU_STATUS, which follows the acknowledgement, is over by then
    now.rig.sh("true")
    return ended(now, process)


def reset(now: Trying) -> str:
    """The GPU is reset: a stream of gpuctl meets an unrecoverable exception.

    Nobody else uses the GPU meanwhile. The driver may terminate gpuctl's group, which ends
    gpuctl, before it comes to what the fault is about.
    """
    now.arm()
    for name, value in UNRECOVERABLE.items():
        now.rig.session.set_fault(name, value)
    told = run_client(now, now.trial.argv)
    now.rig.wait(lambda: now.struck() > 0, f"{now.trial.name} to strike", timeout=CLIENT_S)
    now.rig.session.set_fault("cs-fatal-code", 0)
    return told


def remove(now: Trying) -> str:
    """The driver is unloaded, and loaded again without the fault."""
    now.arm()
    unload(now.rig)
    now.disarm()
    load(now.rig, now.heap)
    return "unloaded"


def watchdog(now: Trying) -> str:
    """The driver pings the firmware."""
    now.arm()
    now.rig.wait(lambda: now.struck() > 0, "the driver's ping", timeout=PING_S)
    return "pinged"


WAYS: dict[str, Callable[[Trying], str]] = {
    "probe": probe, "client": client, "held": held, "wake": wake, "rest": rest,
    "reset": reset, "unload": remove, "watchdog": watchdog,
}  # fmt: skip


def run_client(now: Trying, argv: tuple[str, ...]) -> str:
    """Run gpuctl to its end."""
    process = now.rig.spawn("gpuctl", *argv)
    return ended(now, process)


def ended(now: Trying, process: Process) -> str:
    """The last line of gpuctl, which may need the fault to go at the first reset."""
    process.close_stdin()
    if now.trial.off_first:
        now.rig.wait(lambda: now.resets() > 0, "the first reset", timeout=CLIENT_S)
        now.disarm()
    result = process.wait(scaled(CLIENT_S))
    check(not result.timed_out, f"{now.trial.name}: gpuctl does not end", FailureClass.HANG)
    return (result.stdout.strip().splitlines() or ["nothing"])[-1]


# ---- the driver's life around a trial


def load(rig: Scenario, heap: str | None) -> None:
    """The driver bound and the GPU on, whatever was before."""
    if not rig.bound():
        rig.load_panthor(heap)
        rig.wait_bound()
    rig.keep_gpu_on()


def unload(rig: Scenario) -> None:
    """The driver gone. Runtime PM is left to it: what keeps the GPU on outlives a driver."""
    rig.sh(f"echo auto > {POWER}/control")
    if rig.exists("/sys/module/panthor"):
        rig.unload_panthor()
