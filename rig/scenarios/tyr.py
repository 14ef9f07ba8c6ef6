# SPDX-License-Identifier: MIT
"""tyr: the Rust driver of the same tree boots the MCU, answers what it can, and lets go."""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import GPU_DEVICE, RENDER_NODE, Scenario, check, scenario

ON_DEMAND = "the Rust driver, in a kernel of its own: rig run --tyr tyr"
ROUNDS = 20
DRIVER = "/sys/bus/platform/drivers/tyr"


@scenario(contracts=("tyr",), flavour="direct")
def test_boot_query_unbind(rig: Scenario) -> None:
    """Twenty binds: each boots the MCU, tells the device's identity, and stops the MCU again."""
    rig.run("modprobe", "tyr")
    for number in range(1, rig.cycles(ROUNDS) + 1):
        if number > 1:
            done = rig.try_run("sh", "-c", f"echo {GPU_DEVICE} > {DRIVER}/bind")
            check(done.ok, f"tyr does not bind for the {number}. time", FailureClass.PROBE)
        bound(rig, number)
        query(rig)
        unbind(rig, number)
    rig.run("rmmod", "tyr")


def bound(rig: Scenario, number: int) -> None:
    """The probe, which is over by now, has booted the MCU once more and made a render node."""
    boots = rig.events("mcu-boot")
    check(len(boots) == number, f"{number} binds booted the MCU {len(boots)} times",
          FailureClass.PROBE)  # fmt: skip
    rig.last_boot()
    check(rig.exists(RENDER_NODE), "tyr has booted the MCU and made no render node",
          FailureClass.PROBE)  # fmt: skip


def query(rig: Scenario) -> None:
    """The query ioctl tells what the device is: identity and cores of its row."""
    row = rig.session.bed.gpu
    words = rig.run("gpuctl", "info").output.split()
    told = dict(word.split("=", 1) for word in words if "=" in word)
    wanted = {"gpu_id": f"{row.gpu_id:#x}", "shader_present": f"{row.shader_present:#x}"}
    found = {name: told.get(name) for name in wanted}
    check(found == wanted, f"tyr says {found} of a GPU that has {wanted}")


def unbind(rig: Scenario, number: int) -> None:
    """The driver lets go: the node is gone, and the MCU is off, by the device's own word."""
    rig.sh(f"echo {GPU_DEVICE} > {DRIVER}/unbind")
    check(not rig.exists(RENDER_NODE), "the render node outlives tyr's unbind")
    stops = rig.events("mcu-stop")
    check(len(stops) >= number, f"{number} unbinds stopped the MCU {len(stops)} times")
    check(stops[-1].seq > rig.last("mcu-boot").seq, "the MCU still runs behind the unbind")
