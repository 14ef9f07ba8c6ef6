# SPDX-License-Identifier: MIT
"""firewall: protected memory is closed to CPUs and to the GPU's normal mode, and handed back clean.

Run with `--firewall off` these must fail: then nothing keeps anybody out.
"""

from __future__ import annotations

from rig.errors import FailureClass
from rig.scenarios.kit import FAULT_SAYS, HEAP, PROTECTED, Extent, Scenario, check, scenario

PAGE = 4096
PATTERN = bytes(range(1, 256)) + b"\x5a"
"""256 bytes without a zero and without a run."""
RETURN = bytes.fromhex("c0035fd6")
"""The arm64 instruction `ret`."""
SECRET = bytes((i * 7 + i // 256 + 3) & 0xFF for i in range(64 << 10))
"""What heapctl has the trusted application write (trusted_byte() there)."""
FIRST = 0x5EC2E701
ROW = b"".join((FIRST + i * 0x01010101 & 0xFFFFFFFF).to_bytes(4, "little") for i in range(16))
"""What `gpuctl job` with words=16 makes of its first value (JOB_STEP there)."""
DID = {"read": "readable", "write": "writable", "exec": "executable"}


@scenario()
def test_cpu_kept_out(rig: Scenario) -> None:
    """No CPU loads, stores or fetches in lent memory, but beside it; reclaimed, it is clean.

    User space goes through /dev/mem; each denied access is a SIGBUS there, an event of the
    firewall and a line of OP-TEE. The host, past the firewall, sees that nothing changed.
    """
    rig.load_optee()
    keeper = rig.spawn("heapctl", HEAP, "hold", "4096")
    keeper.expect("READY")
    (lent,) = rig.lent()
    fill(rig, lent)
    check_closed(rig, lent)
    check_open(rig, beside(rig, lent))
    rig.finish(keeper)
    rig.settle(lambda: len(rig.lent()), 0, "ranges still lent to OP-TEE without a buffer")
    check(
        PATTERN not in rig.ram.read(lent.start, lent.size),
        "memory that OP-TEE gave back still holds what was protected: it was not scrubbed",
    )
    check_open(rig, probes(lent))


@scenario(flavour="direct")
def test_cpu_kept_out_direct(rig: Scenario) -> None:
    """The same of a heap in the direct flavour, where the rig programs the firewall."""
    pool = rig.add_heap("closed", 1 << 20)
    fill(rig, pool)
    check_closed(rig, pool)
    check_open(rig, beside(rig, pool))


@scenario()
def test_gpu_kept_out(rig: Scenario) -> None:
    """A job in normal mode that writes to a buffer of the heap faults and writes nothing."""
    rig.load_optee()
    rig.load_panthor()
    rig.wait_bound()
    (lent,) = rig.lent()
    before = rig.ram.read(lent.start, lent.size)
    rig.expect_denials("write", lent, master="gpu")
    with rig.driver_may_complain(FAULT_SAYS):
        done = rig.try_run("gpuctl", "job", f"heap={HEAP}", "value=0xc0ffee01")
    check(
        rig.ram.read(lent.start, lent.size) == before,
        "a job in normal mode wrote to protected memory",
    )
    check(not done.ok, "a job in normal mode that wrote to protected memory ended well")
    faults = rig.events("gpu-fault")
    check(
        any(e["access"] == "write" and lent.start <= e["addr"] < lent.end for e in faults),
        "a denied write of the GPU was no bus fault for it",
    )


@scenario()
def test_trusted_side(rig: Scenario) -> None:
    """A trusted application fills a buffer of the heap and reads it back; nobody else can.

    While it holds the secret a CPU of Linux cannot read it, and the host finds it in lent
    memory and nowhere else in the guest's RAM (the taint check). The control: before the
    application's client wipes its own copy, the same scan finds that.
    """
    rig.load_optee()
    holder = rig.spawn("heapctl", HEAP, "trusted", str(len(SECRET)))
    holder.expect("READY filled")
    (lent,) = rig.lent()
    mark = SECRET[len(SECRET) // 2 :][: len(PATTERN)]
    inside, outside = copies(rig, lent, mark)
    check(inside, "the trusted application's writes are not in the memory lent to OP-TEE")
    check(outside, "the taint check does not find the copy that is there", FailureClass.INFRA)
    holder.write(b"wipe\n")
    holder.expect("READY wiped")
    at = inside[0]
    result = tried(rig, "read", [at])[at]
    check(result != "ok", f"protected memory was readable at {at:#x}: the secret is open")
    rig.expect_denials("read", lent)
    _, outside = copies(rig, lent, mark)
    check(not outside, f"what is protected lies at {', '.join(map(hex, outside))} as well, "
          "outside of protected memory")  # fmt: skip
    told = rig.finish(holder)
    check("wrong=0" in told, f"the trusted application read back: {told.strip()}")


@scenario(contracts=PROTECTED)
def test_protected_job(rig: Scenario) -> None:
    """What a protected job writes, the trusted application reads, and nobody else.

    The values are made in protected mode. The host finds them in lent memory and nowhere
    else in the guest's RAM; a CPU of Linux cannot read them there.
    """
    rig.load_optee()
    rig.load_panthor()
    rig.wait_bound()
    done = rig.try_run("gpuctl", "job", f"heap={HEAP}", "protect=1", "trusted=1",
                       f"value={FIRST:#x}", f"words={len(ROW) // 4}")  # fmt: skip
    check(done.ok and "wrong=0" in done.output,
          f"the trusted application reads not what the protected job wrote: {done.output.strip()}",
          )  # fmt: skip
    check(any(e["acked"] for e in rig.events("protm-enter")),
          "the protected job was not run in protected mode")  # fmt: skip
    (lent,) = rig.lent()
    inside, outside = copies(rig, lent, ROW)
    check(inside, "what the protected job wrote is not in the memory lent to OP-TEE")
    check(not outside, f"what the protected job wrote lies at {', '.join(map(hex, outside))} as "
          "well, outside of protected memory")  # fmt: skip
    result = tried(rig, "read", inside[:1])[inside[0]]
    check(result != "ok", f"protected memory was readable at {inside[0]:#x}: what a job wrote")
    rig.expect_denials("read", lent)


@scenario()
def test_protected_write(rig: Scenario) -> None:
    """A protected job that writes to normal memory faults there, and nothing gets out."""
    rig.load_optee()
    rig.load_panthor()
    rig.wait_bound()
    memory = Extent(rig.ram.base, rig.ram.size)
    rig.expect_denials("write", memory, master="gpu-protected")
    with rig.driver_may_complain(FAULT_SAYS):
        done = rig.try_run("gpuctl", "job", "protect=1")
    check("wrong=1" in done.output, "a protected job wrote to normal memory")
    faults = rig.events("protm-fault")
    check(faults, "a denied write in protected mode was no fault for the GPU")
    check(faults[0]["write"], "the fault in protected mode was no write", FailureClass.INFRA)
    check("why=dead" in done.output, "the group of a fault in protected mode goes on")


def copies(rig: Scenario, lent: Extent, mark: bytes) -> tuple[list[int], list[int]]:
    """Where `mark` lies in the guest's RAM: in lent memory, and elsewhere."""
    found: list[int] = []
    at = rig.ram.find(mark)
    while at is not None:
        found.append(at)
        at = rig.ram.find(mark, at + 1)
    inside = [at for at in found if lent.start <= at < lent.end]
    return inside, [at for at in found if at not in inside]


def probes(where: Extent) -> list[int]:
    """Addresses to look at: the first and the last page, and one amid."""
    return [where.start, where.start + where.size // 2 // PAGE * PAGE, where.end - PAGE]


def beside(rig: Scenario, where: Extent) -> list[int]:
    """The pages right before and right after a range, as far as there is memory."""
    pages = [where.start - PAGE, where.end]
    return [page for page in pages if rig.ram.base <= page < rig.ram.base + rig.ram.size]


def fill(rig: Scenario, where: Extent) -> None:
    """Past the firewall: the pattern everywhere, and an instruction at each probe."""
    rig.ram.write(where.start, PATTERN * (where.size // len(PATTERN)))
    for address in probes(where):
        rig.ram.write(address, RETURN)


def check_closed(rig: Scenario, where: Extent) -> None:
    """Every access of a CPU dies of an external abort and is reported; nothing changes."""
    before = rig.ram.read(where.start, where.size)
    for access in ("read", "write", "exec"):
        for address, result in tried(rig, access, probes(where)).items():
            check(result != "ok", f"protected memory was {DID[access]} at {address:#x}")
            check(result == "SIGBUS", f"{access} of protected memory ended in {result}, not SIGBUS")
        rig.expect_denials(access, where, count=len(probes(where)))
    check(
        rig.ram.read(where.start, where.size) == before,
        "protected memory changed although every write was denied",
    )


def check_open(rig: Scenario, addresses: list[int]) -> None:
    """A CPU reads there: the control without which a machine that denies all would pass."""
    for address, result in tried(rig, "read", addresses).items():
        check(result == "ok", f"memory at {address:#x} is not protected, but a read got {result}")


def tried(rig: Scenario, access: str, addresses: list[int]) -> dict[int, str]:
    """What became of accesses from user space: ok or the name of a signal."""
    said = rig.run("memctl", access, *map(hex, addresses)).output
    lines = [dict(word.split("=") for word in line.split())
             for line in said.splitlines() if line.startswith("access=")]  # fmt: skip
    found = {int(line["address"], 16): line["result"] for line in lines}
    check(list(found) == addresses, f"memctl {access} said: {said.strip()}", FailureClass.INFRA)
    return found
