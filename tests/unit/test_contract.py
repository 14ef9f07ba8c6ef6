# SPDX-License-Identifier: MIT
"""Which contract a module speaks, and what a guest's device tree is told."""

from __future__ import annotations

import pytest

from rig.errors import RigError
from rig.kernel.contract import BASE, HEAP_NAME, HEAP_PHANDLE, PROTM_INIT, Contract, by_name, detect
from rig.kernel.module import ModuleInfo
from rig.machine.devicetree import NO_MEMORY, Property, disabled, memory_of_helper, memory_of_optee


def module(parameters: set[str], texts: set[str]) -> ModuleInfo:
    return ModuleInfo("panthor", frozenset(parameters), "", "", frozenset(texts))


@pytest.mark.parametrize(
    ("parameters", "texts", "contract"),
    [
        (set(), {"#protected-memory-cells", "protected"}, BASE),
        ({"transparent_hugepage"}, set(), BASE),
        ({"protected_heap_name"}, {"protected"}, HEAP_NAME),
        (set(), {"protected-memory", "#protected-memory-cells"}, HEAP_PHANDLE),
        (set(), {"PANTHOR_GROUP_CREATE", "PANTHOR_PROTM_INIT"}, PROTM_INIT),
    ],
)
def test_detection(parameters: set[str], texts: set[str], contract: Contract) -> None:
    found = detect(module(parameters, texts))
    assert found.contract == contract
    assert found.why.startswith("panthor.ko ")


def test_an_unknown_contract_lists_those_there_are() -> None:
    with pytest.raises(RigError, match="no contract 'heap-label'") as caught:
        by_name("heap-label")
    assert "base, heap-name, heap-phandle, protm-init" in caught.value.hint


def test_lines_for_the_helper() -> None:
    assert [p.line() for p in (*memory_of_optee(), *memory_of_helper(3))] == [
        "/firmware/optee #protected-memory-cells 1",
        "/gpu@b000000 protected-memory &/firmware/optee 1",
        "/rig-heaps #protected-memory-cells 1",
        "/gpu@b000000 protected-memory &/rig-heaps 3",
    ]
    assert [p.line() for p in (*NO_MEMORY, *disabled("/rig-heaps"))] == [
        "/gpu@b000000 protected-memory -",
        "/rig-heaps status =disabled",
    ]
    assert Property("/a", "empty", ()).line() == "/a empty", "a property without a value"
