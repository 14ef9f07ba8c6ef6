# SPDX-License-Identifier: MIT
"""The driver's life as seen from outside: modules, probes, heaps and buffers."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from rig import introspect
from rig.errors import FailureClass, RigError
from rig.guest.shell import ShellResult
from rig.kernel.contract import HEAP_NAME, HEAP_PARAMETER, HEAP_PHANDLE, PROTM_INIT, Contract
from rig.kernel.module import build_id_of_note
from rig.machine import devicetree
from rig.scenarios.kit_channels import Channels
from rig.scenarios.terms import DRIVER, GPU_DEVICE, HEAP, RENDER_NODE, RIGHEAP, Extent, check
from rig.verdict import seclog
from rig.verdict.verdict import Note, NoteKind

if TYPE_CHECKING:
    from rig.introspect.references import References

SUSPEND_HEAP_FILE = "/run/rig-suspend-heap"
"""Of guest/clients/gpuctl.h."""
NO_DRGN = (
    "references to the heap and its buffers were not counted: drgn is not installed here "
    "(`pip install drgn`, or `make` a new .venv)"
)


class Driver(Channels):
    """What a scenario does with panthor, OP-TEE and heaps."""

    # ---- modules
    def load_optee(self) -> None:
        """Load OP-TEE's driver: the heap arrives."""
        self.run("modprobe", "optee")
        check(self.exists(f"/dev/dma_heap/{HEAP}"), f"OP-TEE brought no heap {HEAP}",
              FailureClass.INFRA)  # fmt: skip

    def load_panthor(self, heap: str | None = HEAP) -> ShellResult:
        """Load panthor and have it use the given heap (None: no heap).

        Checks that what was loaded is what was built. Returns modprobe's result.
        """
        result = self.try_run("modprobe", "panthor", *self.offer_heap(heap))
        check(result.ok, f"modprobe panthor failed: {result.output.strip()}", FailureClass.PROBE)
        self.check_build_id()
        if heap is not None and self.contract == PROTM_INIT:
            self.hand_in(heap)
        return result

    def hand_in(self, heap: str) -> None:
        """Give the firmware memory of a heap, and tell `gpuctl` where groups take theirs."""
        self.wait_bound()
        self.sh(f"echo {shlex.quote(heap)} > {SUSPEND_HEAP_FILE}")
        self.run("gpuctl", "protm-init", f"heap={heap}")

    @property
    def contract(self) -> Contract:
        """How the driver under test is given its protected memory."""
        return self.session.bed.contract.contract

    def offer_heap(self, heap: str | None) -> list[str]:
        """Tell the driver of its heap, there or not, as its contract wants it.

        Returns the module parameters to load it with.
        """
        if self.contract == HEAP_NAME:
            return [] if heap is None else [f"{HEAP_PARAMETER}={heap}"]
        if self.contract != HEAP_PHANDLE:
            return []
        self.load_helper()
        if heap is None:
            self.describe(*devicetree.NO_MEMORY)
        elif heap == HEAP:
            self.describe(*devicetree.memory_of_optee())
        else:
            self.describe(*devicetree.memory_of_helper(self._number(heap)))
        return []

    def heap_in_words(self, heap: str) -> str:
        """How the driver, told of a heap, can name it."""
        return devicetree.HELPER_NODE if self.contract == HEAP_PHANDLE else heap

    def describe(self, *properties: devicetree.Property) -> None:
        """Change the guest's device tree; our helper module must be loaded."""
        for one in properties:
            self.sh(f"echo {shlex.quote(one.line())} > {RIGHEAP}/dt")

    def check_build_id(self) -> None:
        """The loaded panthor must be the module that this run built."""
        note = self.sh("od -An -v -tx1 /sys/module/panthor/notes/.note.gnu.build-id")
        loaded = build_id_of_note(bytes.fromhex("".join(note.split())))
        built = self.session.bed.panthor.build_id
        check(loaded == built, f"the guest loaded panthor {loaded}, not the built {built}",
              FailureClass.INFRA)  # fmt: skip

    def unload_panthor(self) -> None:
        """rmmod panthor; must succeed."""
        self.run("rmmod", "panthor")

    # ---- the driver, from outside
    def bound(self) -> bool:
        """Whether the GPU's platform device has a driver."""
        return self.exists(f"/sys/bus/platform/devices/{GPU_DEVICE}/driver")

    def deferred(self) -> bool:
        """Whether the GPU is on the kernel's list of deferred devices."""
        listed = self.sh("cat /sys/kernel/debug/devices_deferred")
        return any(line.split()[:1] == [GPU_DEVICE] for line in listed.splitlines())

    def bind_by_hand(self) -> str:
        """Have panthor probe the GPU once more; returns what its error means, "" for none.

        sysfs hands on the errno of the probe: drivers/base/bus.c, bind_store().
        """
        result = self.try_run("sh", "-c", f"echo {GPU_DEVICE} > {DRIVER}/bind")
        return "" if result.ok else result.output.strip().rpartition(": ")[2]

    def wait_bound(self) -> None:
        """Wait for the probe to succeed and the render node to be there."""
        self.wait(lambda: self.exists(RENDER_NODE), "panthor's render node")
        check(self.bound(), "there is a render node but the GPU has no driver", FailureClass.PROBE)

    # ---- the secure world
    def secure(self) -> seclog.SecureLog:
        """OP-TEE's log, parsed."""
        return seclog.parse(self.session.vm.secure_log())

    def lent(self) -> list[Extent]:
        """Memory that Linux has lent to OP-TEE and not got back yet."""
        return [Extent(lend.pa, lend.size) for lend in self.secure().outstanding]

    def deferral_reason(self) -> str:
        """What the kernel's list of deferred devices says about the GPU."""
        listed = self.sh("cat /sys/kernel/debug/devices_deferred")
        for line in listed.splitlines():
            name, _, reason = line.partition("\t")
            if name.strip() == GPU_DEVICE:
                return reason.strip()
        return ""

    def report_missing_heap(self, name: str) -> None:
        """Note that nobody registered the heap that panthor was told to use.

        That is no defect of the driver, whose behaviour is judged on its own.
        """
        heaps = sorted(self.sh("ls /dev/dma_heap").split())
        check(name not in heaps, f"the heap {name!r} is there", FailureClass.INFRA)
        there = ", ".join(heaps) or "none"
        text = f"panthor was given the heap {name!r}, which this system does not have (it has: "
        self.notes.append(Note(NoteKind.INTEGRATION, f"{text}{there}): its probe stays deferred"))

    def reprobe(self, count: int) -> None:
        """Make the driver core retry deferred probes: our dummy device is bound `count` times."""
        before = int(self.sh(f"cat {RIGHEAP}/kick"))
        self.sh(f"echo {count} > {RIGHEAP}/kick")
        rounds = int(self.sh(f"cat {RIGHEAP}/kick")) - before
        check(rounds == count, f"{rounds} re-probes were made, not {count}", FailureClass.INFRA)

    # ---- heaps and buffers
    def load_helper(self) -> None:
        """Load our helper module (`righeap`): heaps on demand, re-probes on demand."""
        self.sh("modprobe righeap")

    def add_heap(self, name: str, limit: int, *, closed: bool = True) -> Extent:
        """Register a heap of at most `limit` bytes, closed to CPUs; binds no device.

        Nobody in the guest can program the firewall without a secure world, so that this
        is done here: the heap is protected before it has given any memory away. One that is
        not `closed` is ordinary memory; protected mode cannot write there once another heap is.
        """
        self.load_helper()
        if self.contract == HEAP_PHANDLE:  # a heap without a node is never found
            self.describe(*devicetree.provider(devicetree.HELPER_NODE))
        self.sh(f"echo '{name} {limit}' > {RIGHEAP}/pool")
        pool = Extent(int(self._heap(name)["pool"], 16), limit)
        if closed:
            self.session.protect(pool.start, pool.size)
        return pool

    def remove_heap(self, name: str) -> None:
        """Drop the reference of whoever registered a heap of ours: it goes with the last one."""
        self.sh(f"echo {shlex.quote(name)} > {RIGHEAP}/remove")

    def heap_bytes(self, name: str) -> int:
        """Bytes allocated from one of our heaps now."""
        return int(self._heap(name)["bytes"])

    def _number(self, name: str) -> int:
        """What the device tree calls one of our heaps, or the next one if it is not there yet."""
        names = [line.split()[0] for line in self.sh(f"cat {RIGHEAP}/list").splitlines()]
        return (names.index(name) if name in names else len(names)) + 1

    def _heap(self, name: str) -> dict[str, str]:
        """What our helper module says of one of its heaps."""
        for line in self.sh(f"cat {RIGHEAP}/list").splitlines():
            words = line.split()
            if words[:1] == [name]:
                return dict(word.split("=") for word in words[1:])
        raise RigError(FailureClass.INFRA, f"our helper module has no heap {name!r}")

    def wait_heap_bytes(self, name: str, wanted: int, after: str) -> None:
        """Wait until a heap of ours has `wanted` bytes allocated: buffers go by a worker."""
        self.settle(lambda: self.heap_bytes(name), wanted, f"bytes of heap {name!r} {after}")

    def dmabufs(self) -> tuple[int, int]:
        """All dma-bufs of the guest: (objects, bytes)."""
        info = self.sh("cat /sys/kernel/debug/dma_buf/bufinfo")
        total = re.search(r"^Total (\d+) objects, (\d+) bytes", info, re.MULTILINE)
        check(total, "the kernel's dma-buf list has no total", FailureClass.INFRA)
        assert total is not None
        return int(total[1]), int(total[2])

    def references(self) -> References | None:
        """References to the guest's heaps and buffers, counted in its memory from outside.

        None, and a note that says so, when drgn is not installed. The look must agree with
        the kernel's own list of buffers.
        """
        if not introspect.available():
            self.notes.append(Note(NoteKind.UNCHECKED, NO_DRGN))
            return None
        from rig.introspect import references  # noqa: PLC0415 - it imports drgn

        found = references.of_session(self.session)
        listed = self.dmabufs()
        seen = (len(found.buffers), sum(buffer.size for buffer in found.buffers))
        check(seen == listed, f"drgn sees dma-bufs (count, bytes) {seen}, the kernel {listed}",
              FailureClass.INFRA)  # fmt: skip
        return found
