# SPDX-License-Identifier: MIT
"""Events of the GPU as lines for people: one event, one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text

from rig.gpu.event_table import ALL_KINDS, EXCEPTIONS, MMU_EXCEPTIONS, Unit
from rig.gpu.events import Event

_WHOLE = 1 << 48
"""A size from here on means everything: LOCK of a whole address space."""
_HEX: tuple[Unit, ...] = ("mask", "va", "pa", "hex")
_BAD = "bold red"
_STYLES = (
    (
        ("violation", "mmu-fault", "gpu-fault", "cs-fault", "cs-fatal", "protm-fault", "denial"),
        _BAD,
    ),
    (("reset", "mcu-stop", "csg-terminate", "known-issue", "no-endpoint"), "yellow"),
    (("protm-pend", "protm-enter", "protm-exit", "protm-suspend"), "magenta"),
    (("csg-start", "csg-resume", "csg-endpoints", "csg-suspend", "cs-blocked"), "green"),
    (("as-cmd", "gpu-cmd", "glb-req", "glb-event", "ping"), "dim"),
)
_STYLE = {kind: style for kinds, style in _STYLES for kind in kinds}


def style_of(event: Event) -> str:
    """Colour of an event: red for what is wrong."""
    failed = any(event.fields.get(name) is False for name in ("ok", "saved", "restored", "acked"))
    bad = failed or event.fields.get("content") == "bad"
    return _BAD if bad else _STYLE.get(event.kind, "cyan")


def pretty(event: Event) -> Text:
    """One line: number, virtual time in s, kind, fields in their units."""
    row = ALL_KINDS.get(event.kind)
    units: dict[str, Unit] = {f.name: f.unit for f in row.fields} if row else {}
    text = Text(f"{event.seq:6} {event.vns // 10**9:5}.{event.vns % 10**9:09} ")
    text.append(f"{event.kind:<16}", style_of(event))
    for name, value in event.fields.items():
        text.append(f" {name}=", "dim")
        text.append(shown(value, units.get(name, "number")))
    return text


def shown(value: Any, unit: Unit) -> str:
    """A field's value in its unit; what does not have the unit's type is shown as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and unit == "extents":
        return _extents(value)
    if not isinstance(value, int):
        return str(value) if value != "" else "-"
    return _FORMATS.get(unit, str)(value)


def size(count: int) -> str:
    """Bytes in the largest unit that divides them."""
    if count >= _WHOLE:
        return "all"
    for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and count % (1 << power) == 0:
            return f"{count >> power} {name}"
    return f"{count} B"


def exception(code: int) -> str:
    """Name and number of an exception, with the level of the walk where it has one."""
    for first, name, levels in MMU_EXCEPTIONS:
        if levels and first <= code < first + 4:
            return f"{name}_{code - first}({code:#x})"
        if code == first:
            return f"{name}({code:#x})"
    return f"{EXCEPTIONS[code]}({code:#x})" if code in EXCEPTIONS else f"{code:#x}"


def _extents(pairs: list[Any]) -> str:
    parts = []
    for pair in pairs:
        match pair:
            case [int(address), int(count)]:
                parts.append(f"{address:#x}+{size(count)}")
            case _:
                parts.append(str(pair))
    return f"[{', '.join(parts)}]"


def _version(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 0xFF}.{value & 0xFFFF}"


_FORMATS: dict[Unit, Callable[[int], str]] = {
    **dict.fromkeys(_HEX, hex),
    "bytes": size,
    "exception": exception,
    "version": _version,
}
