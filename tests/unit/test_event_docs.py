# SPDX-License-Identifier: MIT
"""The table of events, its page and the model's C code say the same."""

from __future__ import annotations

import re

from rig.gpu.event_table import (
    BY_KIND,
    EVENTS,
    EXCEPTIONS,
    FIREWALL,
    KNOWN_ISSUES,
    MMU_EXCEPTIONS,
    page,
)
from rig.gpu.events import KINDS
from rig.paths import REPO

CORE = REPO / "qemu_models" / "core"
SOURCE = "\n".join(f.read_text() for f in sorted(CORE.glob("*.c")))
BLOCK = re.compile(
    r"\n    mali_ev_begin\(&e, [\w>-]+, ([^;]+)\);\n(.*?)mali_ev_end\(&e\);", re.DOTALL
)
KEY = re.compile(r"mali_ev_(?:u64|bool|str|arr_begin|extents)\(&e, \"(\w+)\"")
ENDPOINTS = re.findall(r'\{ "(\w+)", \d+, 0xf', (CORE / "endpoint.c").read_text())
STRING = re.compile(r'"([a-z]+(?:-[a-z]+)*)"')


def helper_kinds(position: int) -> list[str]:
    """Kinds given to the helper function around `position`, which takes them as an argument."""
    names = re.findall(r"^static void (\w+)\(", SOURCE[:position], re.MULTILINE)
    calls = re.findall(rf'\b{names[-1]}\(\w+, "([a-z-]+)"', SOURCE)
    assert calls, f"nobody calls {names[-1]}"
    return calls


def model() -> dict[str, set[str]]:
    """Kinds with all the fields that the model ever gives them."""
    found: dict[str, set[str]] = {}
    for block in BLOCK.finditer(SOURCE):
        kinds = STRING.findall(block[1]) or helper_kinds(block.start())
        fields = set(KEY.findall(block[2])) | ({"perm"} if "mali_ev_perm(" in block[2] else set())
        fields |= set(ENDPOINTS) if "mali_ev_endpoints(" in block[2] else set()
        for kind in kinds:
            found.setdefault(kind, set()).update(fields)
    return found


def test_kinds_are_the_models() -> None:
    theirs = model()
    assert set(theirs) - set(BY_KIND) == set(), "add them to rig/gpu/event_table.py"
    gone = BY_KIND.keys() - theirs.keys()
    assert gone == set(), "the model has these events no more"
    assert BY_KIND.keys() == KINDS
    assert len(BY_KIND) == len(EVENTS)


def test_fields_are_the_models() -> None:
    for kind, fields in model().items():
        ours = {field.name for field in BY_KIND[kind].fields}
        if kind == "csg-start":  # shares its code with csg-resume, which adds two
            ours |= {"restored", "crc32"}
        assert ours == fields, f"{kind}: correct rig/gpu/event_table.py"


def test_the_firewalls_fields_are_its_models() -> None:
    source = (CORE / "tzc_life.c").read_text()
    formats = re.findall(r"emit\(t,(.*?)\}\"", source, re.DOTALL)
    theirs = {}
    for text in formats:
        kind = re.search(r'\\"ev\\":\\"([a-z-]+)\\"', text)
        assert kind is not None, text
        keys = set(re.findall(r'\\"(\w+)\\":', text)) - {"ev"}
        theirs[kind[1]] = keys | ({"cpu"} if '%s\\"secure' in text else set())
    assert theirs == {row.kind: {field.name for field in row.fields} for row in FIREWALL}


def test_exceptions_are_the_models() -> None:
    fwif, regs = (CORE / "fwif.h").read_text(), (CORE / "regs.h").read_text()
    streams = re.findall(r"#define CS_EXC_(\w+)\s+(0x[0-9a-f]+)", fwif)
    assert {name: int(code, 16) for name, code in streams} == {n: c for c, n in EXCEPTIONS.items()}
    faults = re.findall(r"#define EXC_(\w+)\s+(0x[0-9a-f]+)(\s+/\* \+ level \*/)?", regs)
    theirs = {(int(code, 16), name, bool(level)) for name, code, level in faults}
    assert theirs == set(MMU_EXCEPTIONS)


def test_page_is_current() -> None:
    told = (REPO / "docs" / "events.md").read_text()
    assert told == page(), "run: python -m rig.gpu.event_table > docs/events.md"


def test_known_issues_are_the_models() -> None:
    theirs = set(re.findall(r'mali_known_issue\(g, "([a-z-]+)"', SOURCE))
    assert theirs == {issue.name for issue in KNOWN_ISSUES}
