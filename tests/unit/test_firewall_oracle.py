# SPDX-License-Identifier: MIT
"""What the firewall saw decides a scenario, and so does what it was never told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rig.errors import FailureClass
from rig.gpu.events import Event
from rig.paths import REPO
from rig.verdict.firewall import CPU_IDS, WHO, Denials, guarded, open_lends, unexpected
from rig.verdict.seclog import parse

BASE, SIZE = 0x5DD00000, 0x1000000
GATE = {"region": 0, "on": True, "base": 0, "top": (1 << 64) - 1, "id_access": 0xFDFFFFFF}
CLOSED = {"region": 1, "on": True, "base": BASE, "top": BASE + SIZE - 1, "id_access": 0x02000200}
LENT = f"D/TC:0 0 protect_mem:572 use_case 1 pa {BASE:#x}, size {SIZE:#x}\n"


def denial(seq: int, **more: Any) -> Event:
    fields = {"addr": BASE, "size": 4, "access": "read", "master": "cpu", "cpu": 0,
              "secure": False, "nsaid": 0, "region": 1, "unlogged": 0}  # fmt: skip
    return Event(seq, 0, "denial", {**fields, **more})


def regions(*states: dict[str, Any]) -> list[Event]:
    return [Event(seq, 0, "region", state) for seq, state in enumerate(states)]


def test_no_denial_no_finding() -> None:
    assert unexpected(regions(GATE, CLOSED), 0, []) == []
    assert unexpected([], 0, []) == []


def test_a_denial_is_a_finding_that_says_who_did_what_where() -> None:
    ((failure, told),) = unexpected([denial(0), denial(1, access="write")], 2, [])
    assert failure is FailureClass.MODEL_VIOLATION
    assert told.startswith("firewall: the CPU read protected memory at 0x5dd00000 (4 bytes)")
    assert told.endswith("(and 1 more)")
    ((_, told),) = unexpected([denial(0, master="gpu-protected", region=0, access="write")], 1, [])
    assert "the GPU in protected mode wrote to normal memory" in told


@pytest.mark.parametrize("count", [1, 3])
def test_declared_denials_must_be_there_as_often_as_declared(count: int) -> None:
    declared = [Denials("cpu", "read", BASE, SIZE, count)]
    ((failure, told),) = unexpected([denial(0), denial(1)], 2, declared)
    assert failure is FailureClass.ASSERT
    assert f"expected {count} x read by cpu" in told and told.endswith("seen 2")


def test_a_declaration_excuses_only_what_it_says() -> None:
    declared = [Denials("cpu", "read", BASE, SIZE)]
    assert unexpected([denial(0)], 1, declared) == []
    for other in ({"access": "write"}, {"master": "gpu"}, {"addr": BASE + SIZE}):
        found = unexpected([denial(0), denial(1, **other)], 2, declared)
        assert [failure for failure, _ in found] == [FailureClass.MODEL_VIOLATION]


def test_what_was_not_logged_is_not_excused() -> None:
    declared = [Denials("cpu", "read", BASE, SIZE)]
    ((failure, told),) = unexpected([denial(0)], 6, declared)
    assert failure is FailureClass.MODEL_VIOLATION and "5 denials more" in told


def test_a_log_that_cannot_be_true_is_the_rigs_failure() -> None:
    assert unexpected([denial(0), denial(1)], 1, [])[0][0] is FailureClass.INFRA
    assert unexpected([denial(3)], 4, [])[0][0] is FailureClass.INFRA


def test_lent_memory_must_be_guarded() -> None:
    log = parse(LENT)
    assert open_lends(log, regions(GATE, CLOSED)) == []
    for states in (
        [],
        [GATE],
        [CLOSED],
        [GATE, CLOSED, {**CLOSED, "on": False}],
        [GATE, {**CLOSED, "top": BASE + SIZE - 0x1001}],
        [GATE, {**CLOSED, "id_access": 0x02010201}],
        [GATE, CLOSED, {**GATE, "on": False}],
    ):
        (told,) = open_lends(log, regions(*states))
        assert "was lent to OP-TEE and is open to everybody" in told
    given_back = LENT + LENT.replace("protect_mem:572", "restore_mem:580")
    assert open_lends(parse(given_back), []) == []


def test_ids_and_masters_are_the_models() -> None:
    header = (REPO / "qemu_models" / "core" / "tzc.h").read_text()
    ids = dict(re.findall(r"TZC_NSAID_(\w+) = (\d+)", header))
    assert 0x10001 << int(ids["CPU"]) == CPU_IDS
    assert guarded(regions(GATE, CLOSED)) == [(BASE, BASE + SIZE - 1)]
    told = re.search(r"for the log: ([\w, -]+) \*/", header)
    assert told is not None and told[1].split(", ") == list(WHO)
