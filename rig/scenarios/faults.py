# SPDX-License-Identifier: MIT
"""faults: each row of the device's fault plan, and what the driver makes of it.

The trials are rows of fault_trials.toml; a scenario makes those of one part of the driver
on one guest. docs/fault-trials.md is the table for people.
"""

from __future__ import annotations

import time

from rig.errors import FailureClass
from rig.scenarios.fault_trials import Outcome, Trial, save, trials
from rig.scenarios.fault_ways import WAYS, Trying, load, unload
from rig.scenarios.kit import RENDER_NODE, Scenario, check, scenario

ON_DEMAND = "several minutes: `make nightly` makes all of them"
EVERY = ("base", "heap-name")
HEAP_NAME, HEAP_BYTES = "protected", 4 << 20
SAYS = r"^panthor \S+: |^CS_FA(?:TAL|ULT)"
"""What the driver may say while a fault is provoked: anything but an oops or a warning."""


def attempt(rig: Scenario, trial: Trial, heap: str | None) -> Outcome:
    """One trial; raises `RigError` where the driver does not do what its code says."""
    started = time.monotonic()
    now = Trying(rig, trial, heap)
    load(rig, heap)
    with rig.driver_may_complain(SAYS):
        told = WAYS[trial.way](now)
        settle(now)
        now.disarm()
        check_met(now, told)
        end_of(now)
    check(rig.try_run("gpuctl", "job").ok, f"{trial.name}: no job runs behind it")
    check(trial.resets <= now.resets() <= trial.most,
          f"{trial.name}: GPU resets behind it: {now.resets()}, not {trial.resets}")  # fmt: skip
    boots = len(now.events("mcu-boot"))
    if trial.reload:
        unload(rig)
    return Outcome(trial.fault, trial.value, " ".join((trial.way, *trial.argv)), trial.fate,
                   now.struck(), now.resets(), boots, told,
                   round(time.monotonic() - started, 2))  # fmt: skip


def settle(now: Trying) -> None:
    """Wait until the resets are over that the trial is to have, or the try at one.

    A fault that lasts must last until the driver has given up.
    """
    rig, trial = now.rig, now.trial
    rig.settle(lambda: min(now.resets(), trial.resets), trial.resets, f"{trial.name}: GPU resets")
    if trial.fate == "gives-up":
        rig.wait(lambda: not rig.exists(RENDER_NODE), f"{trial.name}: the device's unplug")
    elif trial.fate == "resets" or trial.way == "reset":
        last = max((event.seq for event in now.events("reset")), default=now.since)
        rig.wait(lambda: bool(rig.events_since(last, "mcu-boot")),
                 f"{trial.name}: the MCU's boot after the reset")  # fmt: skip


def check_met(now: Trying, told: str) -> None:
    """The fault had an effect, and the client and the device tell the right end."""
    trial = now.trial
    check(now.struck() > 0, f"{trial.name}: it never struck: nothing was tried",
          FailureClass.INFRA)  # fmt: skip
    check(trial.matches(told), f"{trial.name}: it ended in {told!r}, not {trial.ends!r}")
    for wanted in trial.sees:
        kind, *fields = wanted.split()
        pairs = [field.split("=") for field in fields]
        check(any(all(str(event[name]) == value for name, value in pairs)
                  for event in now.events(kind)),
              f"{trial.name}: the device saw no {wanted}")  # fmt: skip


def end_of(now: Trying) -> None:
    """Whether the driver is there as its fate says; loads it again where it gave up."""
    rig, trial = now.rig, now.trial
    if trial.fate in ("carries-on", "resets"):
        check(rig.bound() and rig.exists(RENDER_NODE), f"{trial.name}: the driver is gone")
        return
    if trial.fate == "fails-probe":
        check(not rig.bound(), f"{trial.name}: the driver bound to a GPU that does not work",
              FailureClass.PROBE)  # fmt: skip
    unload(rig)
    load(rig, now.heap)


def make(rig: Scenario, family: str, heap: str | None = None) -> None:
    """All trials of one scenario; what they came to is kept even when one fails."""
    outcomes: list[Outcome] = []
    try:
        for trial in trials(family):
            outcomes.append(attempt(rig, trial, heap))
    finally:
        save(rig.session.run_dir, outcomes)


@scenario(contracts=EVERY, flavour="direct")
def test_probing(rig: Scenario) -> None:
    """Power, MCU boot and interface while the driver is loaded."""
    make(rig, "probing")


@scenario(contracts=EVERY, flavour="direct")
def test_memory(rig: Scenario) -> None:
    """Cache flushes and commands for address spaces."""
    make(rig, "memory")


@scenario(contracts=EVERY, flavour="direct")
def test_resetting(rig: Scenario) -> None:
    """The reset itself, and the MCU's stop and boot around it."""
    make(rig, "resetting")


@scenario(contracts=EVERY, flavour="direct")
def test_sleeping(rig: Scenario) -> None:
    """Runtime suspend and resume."""
    make(rig, "sleeping")


@scenario(contracts=EVERY, flavour="direct")
def test_groups(rig: Scenario) -> None:
    """Requests to groups, jobs that do not come to their end, tiler heaps."""
    make(rig, "groups")


@scenario(contracts=EVERY, flavour="direct")
def test_streams(rig: Scenario) -> None:
    """Faults of instructions and of accesses."""
    make(rig, "streams")


@scenario(contracts=EVERY, flavour="direct")
def test_interrupts(rig: Scenario) -> None:
    """Interrupts that are lost or come twice."""
    make(rig, "interrupts")


@scenario(contracts=EVERY, flavour="direct")
def test_pings(rig: Scenario) -> None:
    """The driver's watchdog."""
    make(rig, "pings")


@scenario(flavour="direct")
def test_protected(rig: Scenario) -> None:
    """Protected mode, in, out and within."""
    rig.add_heap(HEAP_NAME, HEAP_BYTES)
    make(rig, "protected", HEAP_NAME)


@scenario(contracts=EVERY, flavour="direct")
def test_power_control(rig: Scenario) -> None:
    """Arch 14's PWR_CONTROL: only with `--gpu g1-pro` and the like."""
    check(rig.session.bed.gpu.arch_major >= 14,
          f"the GPU {rig.session.bed.gpu.name} has no PWR_CONTROL: `--gpu g1-pro`",
          FailureClass.NOT_APPLICABLE)  # fmt: skip
    make(rig, "power-control")
