# SPDX-License-Identifier: MIT
"""What the emulated GPU reports: every kind of event with its fields and their units.

docs/events.md is made from this table; a test compares it with the model's C code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal[
    "number", "mask", "va", "pa", "bytes", "extents", "flag", "text", "exception", "version", "hex"
]

UNITS: dict[Unit, str] = {
    "number": "number",
    "mask": "bit mask",
    "va": "GPU virtual address",
    "pa": "physical address",
    "bytes": "bytes",
    "extents": "list of [physical address, bytes]",
    "flag": "true or false",
    "text": "text",
    "exception": "exception code",
    "version": "major << 24, minor << 16, patch",
    "hex": "number, usually read in hex",
}

EXCEPTIONS: dict[int, str] = {
    0x05: "KABOOM",
    0x0F: "RES_TERM",
    0x40: "CONFIG_FAULT",
    0x41: "UNRECOVERABLE",
    0x44: "ENDPOINT_FAULT",
    0x48: "BUS_FAULT",
    0x49: "INSTR_INVALID",
    0x4A: "CALL_STACK_OVERFLOW",
    0x4B: "INHERIT_FAULT",
    0x50: "INVALID_PC",
    0x51: "INVALID_ENC",
    0x55: "BARRIER_FAULT",
    0x58: "DATA_INVALID_FAULT",
    0x59: "TILE_RANGE_FAULT",
    0x5A: "ADDR_RANGE_FAULT",
    0x5B: "IMPRECISE_FAULT",
    0x60: "OOM",
    0x68: "FW_INTERNAL_ERROR",
    0x69: "RES_EVICTION_TIMEOUT",
}
"""Exceptions of streams: fwif.h, `CS_EXC_*`."""

MMU_EXCEPTIONS: tuple[tuple[int, str, bool], ...] = (
    (0x80, "GPU_BUS_FAULT", False),
    (0xC0, "TRANSLATION_FAULT", True),
    (0xC8, "PERM_FAULT", True),
    (0xD8, "ACCESS_FLAG", True),
    (0xE0, "ADDR_SIZE_FAULT_IN", False),
    (0xE4, "ADDR_SIZE_FAULT_OUT", True),
    (0xE8, "MEM_ATTR_FAULT", True),
)
"""Faults of the MMU and the bus: code, name, whether the level of the walk is added (regs.h)."""


@dataclass(frozen=True)
class EventField:
    """One field of an event."""

    name: str
    unit: Unit
    meaning: str = ""


@dataclass(frozen=True)
class EventRow:
    """One kind of event."""

    kind: str
    meaning: str
    fields: tuple[EventField, ...] = ()


_F = EventField
_CSG, _CS = _F("csg", "number", "slot of the group"), _F("cs", "number", "stream of the group")
_AS, _VA = _F("as", "number", "address space"), _F("va", "va")
_ACCESS = _F("access", "text", "atomic, exec, read, write")
_SOURCE = _F("source", "hex", "who did the access")
_EXCEPTION = (_CSG, _CS, _F("code", "exception"), _F("info", "hex", "FAULT_INFO or FATAL_INFO"))
_STREAMS = _F("streams", "mask", "streams of the group")
_BLOB = (
    _F("saved", "flag", "false: the buffer could not be written"),
    _F("bytes", "bytes", "of header and records"),
    _F("crc32", "hex", "of the blob: csg-resume must show the same"),
)
_ENDPOINTS = (
    _F("compute", "number", "cores for its compute jobs"),
    _F("fragment", "number", "for its fragment jobs"),
    _F("tiler", "number", "for its tiler jobs"),
)
_ENTRY = (
    _CSG,
    _AS,
    _F("prio", "number", "priority"),
    *_ENDPOINTS,
    _STREAMS,
    _F("cs_prio", "hex", "priorities of the streams, four bits each"),
    _F("suspend_va", "va", "in the MCU's address space"),
    _F("suspend_mapped_size", "bytes", "mapped from there on, at most 1 MiB"),
    _F("suspend_pa", "extents", "what suspend_size bytes of it are"),
    _F("protm_suspend_va", "va", "the protected suspend buffer"),
    _F("protm_mapped_size", "bytes"),
    _F("protm_suspend_pa", "extents"),
)

EVENTS: tuple[EventRow, ...] = (
    EventRow("power", "a power domain changed",
             (_F("domain", "text", "l2, tiler, shader"), _F("ready", "mask", "cores that are on"))),
    EventRow("gpu-cmd", "a command in GPU_CMD; `reset` follows for RESET",
             (_F("cmd", "text"), _F("arg", "hex", "bits 31:8 of the register"))),
    EventRow("pwr-cmd", "arch 14: a command in PWR_COMMAND",
             (_F("cmd", "hex", "bits 7:0: 0x10 up, 0x11 down, 0x20 delegate, 0x21 retract, "
                 "0x31 soft reset, 0x32 fast reset"),
              _F("domain", "number", "0 L2, 1 tiler, 8 shader"), _F("arg", "mask", "cores"))),
    EventRow("reset", "the GPU is reset", (_F("kind", "text", "fast, soft, hard"),)),
    EventRow("mcu-boot", "the MCU booted, or could not",
             (_F("ok", "flag"), _F("reason", "text", "only when not ok"),
              _F("boot", "number", "tries so far"),
              _F("full", "flag", "false: a fast boot, sections were kept"),
              _F("version", "version", "of the firmware interface"),
              _F("protm_suspend_size", "bytes"), _F("suspend_size", "bytes"))),
    EventRow("section", "one section of the firmware, found at a boot",
             (_F("name", "text", "from the image's manifest, ? without one"), _VA,
              _F("size", "bytes"), _F("flags", "hex", "as in the image"), _F("prot", "flag"),
              _F("mapped", "flag"), _F("perm", "text", "of r, w, x"), _F("extents", "extents"),
              _F("content", "text", "ok, bad, unchecked: compared with the image"))),
    EventRow("sections-unknown", "the image has no manifest: what is mapped is reported"),
    EventRow("mcu-halt", "the MCU halted on request"),
    EventRow("mcu-stop", "the MCU was switched off"),
    EventRow("ping", "a ping was answered", (_F("n", "number", "pings so far"),)),
    EventRow("glb-req", "a request in GLB_REQ was done", (_F("name", "text"),)),
    EventRow("glb-event", "an event in GLB_ACK was raised", (_F("name", "text"),)),
    EventRow("as-cmd", "a command for an address space",
             (_AS, _F("cmd", "text"), _F("base", "va", "LOCK: first byte; UPDATE: TRANSTAB (pa)"),
              _F("size", "bytes", "LOCK"), _F("mode", "number", "UPDATE: TRANSCFG mode"))),
    EventRow("mmu-fault", "an access could not be translated",
             (_AS, _VA, _F("code", "exception"), _ACCESS, _SOURCE)),
    EventRow("gpu-fault", "an access failed behind the translation",
             (_F("code", "exception"), _AS, _F("addr", "pa"), _ACCESS, _SOURCE)),
    EventRow("csg-start", "a group starts on a slot", _ENTRY),
    EventRow("csg-resume", "a group goes on from its suspend buffer",
             (*_ENTRY, _F("restored", "flag", "false: the buffer was not valid"),
              _F("crc32", "hex", "as csg-suspend told it"))),
    EventRow("csg-endpoints", "a group on its slot gets another priority or other cores",
             (_CSG, _F("prio", "number", "priority"), *_ENDPOINTS)),
    EventRow("csg-suspend", "a group was saved and left its slot", (_CSG, *_BLOB)),
    EventRow("csg-terminate", "a group was stopped and left its slot", (_CSG,)),
    EventRow("no-endpoint", "a job of a group that has no core for it: it is never over",
             (_CSG, _CS, _F("kind", "text", "compute, fragment, tiler"))),
    EventRow("cs-blocked", "a stream waits for the host",
             (_CSG, _CS, _F("why", "text", "protm"))),
    EventRow("cs-fault", "CS_FAULT: the stream goes on after the host's answer", _EXCEPTION),
    EventRow("cs-fatal", "CS_FATAL: the stream is dead", _EXCEPTION),
    EventRow("tiler-oom", "a tiling job lacks heap memory: the stream waits for the host",
             (_CSG, _CS, _F("heap", "va", "the heap's context"), _F("vt_start", "number"),
              _F("vt_end", "number"), _F("frag_end", "number"))),
    EventRow("heap-grow", "the host has answered tiler-oom",
             (_CSG, _CS, _F("chunk", "hex", "address and size >> 12; 0: no memory"),
              _F("handler", "flag", "the stream's exception handler runs"))),
    EventRow("progress-timeout", "a RUN_* has made no progress for the time of the GLB timer",
             (_CSG, _CS)),
    EventRow("protm-pend", "a stream asks to be let into protected mode", (_CSG, _CS)),
    EventRow("protm-enter", "the host asked for protected mode",
             (_CSG, _STREAMS, _F("acked", "flag", "false: refused"),
              _F("reason", "text", "only when refused"))),
    EventRow("protm-suspend", "an unfinished group was saved into its protected buffer",
             (_CSG, _STREAMS, *_BLOB)),
    EventRow("protm-exit", "protected mode ended",
             (_F("why", "text", "end, fault, ping, request, csg-update, spurious, mcu-stop, reset"),
              _CSG,
              _F("unfinished", "mask", "streams within their region"))),
    EventRow("protm-fault", "an access against the rules of protected mode",
             (_CSG, _CS, _VA, _F("addr", "pa"), _F("write", "flag"))),
    EventRow("violation", "the host broke the device's contract",
             (_F("rule", "text"), _F("detail", "text"))),
    EventRow("known-issue", "the host broke the contract in a way that its driver is known for",
             (_F("issue", "text", "see below"), _F("as", "number"))),
    EventRow("suppressed", "the log's budget is used up, or there is some again",
             (_F("why", "text", "rate (a virtual second's), total (the device's), over"),
              _F("events", "number", "that were not written so far"))),
)  # fmt: skip

BY_KIND: dict[str, EventRow] = {row.kind: row for row in EVENTS}

FIREWALL: tuple[EventRow, ...] = (
    EventRow("region", "a protected region opened, closed or changed; region 0: the gate did",
             (_F("region", "number", "0 is the background"), _F("on", "flag"), _F("base", "pa"),
              _F("top", "pa", "last byte"), _F("secure_perm", "text", "of r, w"),
              _F("id_access", "hex", "bit n: NSAID n may read, bit 16 + n: write"))),
    EventRow("denial", "an access was denied",
             (_F("addr", "pa"), _F("size", "bytes"), _F("access", "text", "read, write, exec"),
              _F("master", "text", "cpu, gpu, gpu-protected, other (a device, or the host)"),
              _F("cpu", "number", "only for master cpu"), _F("secure", "flag"),
              _F("nsaid", "number", "0: CPU and others, 8: GPU, 9: GPU in protected mode"),
              _F("region", "number", "that denied it"),
              _F("unlogged", "number", "denials before it that were only counted"))),
)  # fmt: skip
"""What the firewall reports, in a log of its own."""
FIREWALL_KINDS = frozenset(row.kind for row in FIREWALL)
ALL_KINDS: dict[str, EventRow] = {**BY_KIND, **{row.kind: row for row in FIREWALL}}
"""Of both logs: a kind belongs to one of them."""


@dataclass(frozen=True)
class KnownIssue:
    """What panthor does against the contract; it fails no scenario, but is told of."""

    name: str
    where: str
    """Of Linux 7.3: file:lines below drivers/gpu/drm/panthor."""
    what: str
    matters: str


KNOWN_ISSUES: tuple[KnownIssue, ...] = (
    KnownIssue(
        "lock-across-reset",
        "panthor_mmu.c:1859-1863, 2046-2056",
        "A reset falls between the write of LOCKADDR and its LOCK: panthor_mmu_pre_reset() "
        "stops the queues of VM_BIND, but not the driver's own mappings (suspend buffers, "
        "ring buffers), which a GROUP_CREATE makes at any time.",
        "The LOCK works on the register's reset value, a range below the smallest one. The "
        "reset has disabled the address space as well, so that nothing is translated "
        "meanwhile; another range would be locked if the VM became active in between.",
    ),
)


_HEAD = ("| event | field | unit | meaning |", "|---|---|---|---|")


def page() -> str:
    """docs/events.md."""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "<!-- made by `python -m rig.gpu.event_table`; do not edit -->",
        "# Events of the emulated GPU",
        "",
        "The device writes one JSON object a line to `gpu-events.jsonl` in the folder of each",
        "guest; `rig events` prints them readably. Every event has `seq` (counts without gaps),",
        "`vns` (virtual time, ns) and `ev` (the kind). An event that did not fit its line ends",
        "with `truncated`. Some fields appear only where their meaning says so.",
        "",
        *_HEAD,
    ]
    lines += [
        *_rows(EVENTS),
        "",
        "# Known issues",
        "",
        "Breaches of the contract by the unmodified driver of Linux 7.3, each with its lines.",
        "They are events, not violations: a verdict does not depend on a race that is not the",
        "tested series' own.",
        "",
        "| issue | where | what | why it matters |",
        "|---|---|---|---|",
        *(f"| `{i.name}` | {i.where} | {i.what} | {i.matters} |" for i in KNOWN_ISSUES),
        "",
        "# Events of the firewall",
        "",
        "In `firewall-events.jsonl`, with numbers of its own. At most 256 denials a second of",
        "virtual time are logged; all are counted (property `counter-denials`).",
        "",
        *_HEAD,
        *_rows(FIREWALL),
    ]
    return "\n".join([*lines, ""])


def _rows(events: tuple[EventRow, ...]) -> list[str]:
    lines: list[str] = []
    for row in events:
        lines.append(f"| **{row.kind}** | | | {row.meaning} |")
        lines += [f"| | `{f.name}` | {UNITS[f.unit]} | {f.meaning} |" for f in row.fields]
    return lines


if __name__ == "__main__":
    print(page(), end="")
