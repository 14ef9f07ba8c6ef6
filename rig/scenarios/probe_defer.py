# SPDX-License-Identifier: MIT
"""probe-defer: the heap that panthor is told of decides when it probes."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.kernel.contract import HEAP_NAME, HEAP_PHANDLE
from rig.machine import devicetree
from rig.scenarios.kit import (
    PRE_INSMOD,
    RENDER_NODE,
    Scenario,
    check,
    check_prot_sections_lent,
    scenario,
)
from rig.scenarios.terms import DRIVER_SAYS

REPROBES = 5
NO_HEAP = "no-such-heap"
BY_NAME = (HEAP_NAME.name,)
BY_PHANDLE = (HEAP_PHANDLE.name,)


@scenario(reviews=("T-4c", "T-4f", "T-4g"))
def test_heap_late(rig: Scenario) -> None:
    """The heap is absent at load and comes later (T-4c, T-4g).

    Until then the device is deferred and its GPU was never powered; when OP-TEE
    has brought the heap, the driver binds by itself and its PROT section lies in
    memory that OP-TEE was lent. Driven over the serial console alone.
    """
    rig.shell = rig.serial
    rig.load_panthor()
    check(not rig.bound(), "panthor bound although its heap is absent", FailureClass.PROBE)
    check(rig.deferred(), "panthor's probe did not end in deferral while its heap was absent",
          FailureClass.PROBE)  # fmt: skip
    check(not rig.exists(RENDER_NODE), "there is a render node while the probe is deferred",
          FailureClass.PROBE)  # fmt: skip
    check(
        rig.power_ons() == 0,
        f"the GPU was powered on {rig.power_ons()} times before its heap was there",
    )

    rig.load_optee()
    rig.wait_bound()
    check(not rig.deferred(), "the GPU is bound and still listed as deferred", FailureClass.PROBE)
    check(rig.power_ons() > 0, "the driver is bound but never powered the GPU on")
    check_prot_sections_lent(rig)


@scenario(stage=PRE_INSMOD, reviews=("T-4c", "T-4f", "T-4g"))
def test_name_never_exists(rig: Scenario) -> None:
    """A heap that never comes: every re-probe defers again, the GPU stays off, what lacks is told.

    The driver may do all that and the system be wrong nevertheless: that is a note.
    """
    rig.load_helper()
    rig.load_panthor(NO_HEAP)
    rig.reprobe(REPROBES)
    check(rig.deferred(), f"not deferred any more after {REPROBES} re-probes", FailureClass.PROBE)
    check(not rig.bound(), "panthor bound although its heap does not exist", FailureClass.PROBE)
    check(rig.power_ons() == 0, "the GPU was powered on although no heap exists")
    reason = rig.deferral_reason()
    check(rig.heap_in_words(NO_HEAP) in reason,
          f"devices_deferred does not name the missing heap: {reason!r}")  # fmt: skip
    rig.report_missing_heap(NO_HEAP)


@scenario(stage=PRE_INSMOD, reviews=("T-4c",))
def test_nothing_switched(rig: Scenario) -> None:
    """A deferred probe switches no clock on, not even to switch it off again (T-4c).

    The clock framework's own trace says what is enabled; a load that binds is the control.
    """
    rig.load_helper()
    rig.trace_clocks()
    rig.load_panthor(NO_HEAP)
    rig.reprobe(REPROBES)
    check(rig.deferred(), "the probe did not defer", FailureClass.PROBE)
    enables = rig.traced_enables()
    check(not enables, f"the GPU's clock was enabled {enables} times by probes that were deferred")
    rig.unload_panthor()
    rig.load_panthor()
    rig.wait_bound()
    check(rig.traced_enables(), "a probe that binds enables no clock", FailureClass.INFRA)


@scenario(flavour="direct")
def test_no_parameter(rig: Scenario) -> None:
    """Told of no heap, the driver has no protected support and probes as ever (T-4a)."""
    rig.load_panthor(heap=None)
    rig.wait_bound()
    check(
        not any(s["mapped"] for s in rig.prot_sections()), "a PROT section is mapped without a heap"
    )


@scenario(contracts=BY_NAME, flavour="direct", reviews=("T-4a",))
def test_empty_parameter(rig: Scenario) -> None:
    """An empty name is no name: the driver probes at once (T-4a)."""
    rig.load_panthor(heap="")
    check(not rig.deferred(), "an empty heap name deferred the probe", FailureClass.PROBE)
    rig.wait_bound()
    check(
        not any(s["mapped"] for s in rig.prot_sections()), "a PROT section is mapped without a heap"
    )


@scenario(contracts=BY_NAME, flavour="direct", reviews=("T-2a",))
def test_trailing_newline(rig: Scenario) -> None:
    """A name with a newline behind it, as `echo` makes it, still finds the heap (T-2a)."""
    rig.add_heap("lined", 16 << 20)
    rig.run("modprobe", "panthor", 'protected_heap_name="lined\n"')
    rig.check_build_id()
    check(not rig.deferred(), "a trailing newline in the heap's name deferred the probe",
          FailureClass.PROBE)  # fmt: skip
    rig.wait_bound()
    check(rig.heap_bytes("lined") > 0, "panthor bound but took nothing from its heap")


@scenario()
def test_wrong_then_right(rig: Scenario) -> None:
    """A wrong name defers; a reload with the right one binds. Driven over ssh alone."""
    rig.shell = rig.ssh
    rig.load_optee()
    rig.load_panthor("protected,secure-vide0")
    check(rig.deferred(), "a wrong heap name did not defer the probe", FailureClass.PROBE)
    rig.unload_panthor()
    rig.load_panthor()
    rig.wait_bound()
    check_prot_sections_lent(rig)


@scenario(flavour="direct", reviews=("T-4g2",))
def test_heap_binds_no_device(rig: Scenario) -> None:
    """A heap arrives without binding a device; the next binding ends the deferral (T-4g2)."""
    rig.load_helper()
    rig.load_panthor("quiet")
    check(rig.deferred(), "the probe did not defer", FailureClass.PROBE)
    rig.add_heap("quiet", 16 << 20)
    rig.reprobe(1)
    rig.wait_bound()
    check(rig.heap_bytes("quiet") > 0, "panthor bound but took nothing from its heap")


@scenario(contracts=BY_PHANDLE, flavour="direct")
def test_provider_disabled(rig: Scenario) -> None:
    """A provider that the firmware calls disabled never comes: no protected mode, no waiting."""
    rig.add_heap("unused", 16 << 20)
    rig.describe(*devicetree.disabled(devicetree.HELPER_NODE))
    rig.load_panthor("unused")
    check(not rig.deferred(), "a disabled provider of protected memory deferred the probe",
          FailureClass.PROBE)  # fmt: skip
    rig.wait_bound()
    check(not any(s["mapped"] for s in rig.prot_sections()),
          "a PROT section is mapped although the provider of its memory is disabled")  # fmt: skip
    taken = rig.heap_bytes("unused")
    check(taken == 0, f"panthor took {taken} bytes from a provider that is disabled")


@scenario(contracts=BY_PHANDLE, flavour="direct")
def test_malformed_phandle(rig: Scenario) -> None:
    """A reference that makes no sense fails the probe for good; put right, it binds."""
    rig.add_heap("good", 16 << 20)
    gpu = devicetree.GPU_NODE  # no provider of anything
    rig.offer_heap("good")
    rig.describe(*devicetree.consumer(gpu, 1))
    with rig.driver_may_complain(DRIVER_SAYS + "|^OF: "):
        rig.run("modprobe", "panthor")
        check(not rig.bound(), "panthor bound although its protected memory makes no sense",
              FailureClass.PROBE)  # fmt: skip
        check(not rig.deferred(), "a reference that makes no sense ended in deferral",
              FailureClass.PROBE)  # fmt: skip
        why = rig.bind_by_hand()
        check(why == "Invalid argument", f"the probe fails with {why!r}, not with EINVAL",
              FailureClass.PROBE)  # fmt: skip
    check(rig.power_ons() == 0, "the GPU was powered on by a probe that had no chance")
    rig.unload_panthor()
    rig.load_panthor("good")
    rig.wait_bound()
    check(rig.heap_bytes("good") > 0, "panthor bound but took nothing from its heap")


@scenario()
def test_serial_without_sshd(rig: Scenario) -> None:
    """With sshd dead, the serial console alone gives the same verdict."""
    rig.sh("mv /usr/sbin/dropbear /usr/sbin/dropbear.off")  # init cannot start it again

    def dead() -> bool:
        # one that init had just forked when the file moved may come up behind the first signal
        rig.sh("killall dropbear 2>/dev/null; true")
        return not sshd_runs(rig)

    rig.wait(dead, "sshd's end")
    test_heap_late(rig)
    check(not sshd_runs(rig), "sshd came back", FailureClass.INFRA)


def sshd_runs(rig: Scenario) -> bool:
    """Whether a dropbear process exists."""
    return rig.sh("cat /proc/[0-9]*/comm 2>/dev/null; true").split().count("dropbear") > 0
