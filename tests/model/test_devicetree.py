# SPDX-License-Identifier: GPL-2.0-or-later
"""The nodes that the device adds to virt's tree, read from the dumped blob."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
Tree = Mapping[str, Mapping[str, bytes]]


def parse(blob: bytes) -> Tree:
    """A flattened device tree: path -> property -> raw value."""
    at, strings = struct.unpack_from(">8xII", blob)
    tree: dict[str, dict[str, bytes]] = {}
    path: list[str] = []
    while (token := struct.unpack_from(">I", blob, at)[0]) != END:
        at += 4
        if token == BEGIN_NODE:
            end = blob.index(b"\0", at)
            path.append(blob[at:end].decode())
            tree["/".join(path) or "/"] = {}
            at = (end + 4) & ~3
        elif token == END_NODE:
            path.pop()
        elif token == PROP:
            length, name = struct.unpack_from(">II", blob, at)
            key = blob[strings + name : blob.index(b"\0", strings + name)].decode()
            tree["/".join(path) or "/"][key] = blob[at + 8 : at + 8 + length]
            at = (at + 8 + length + 3) & ~3
    return tree


def dump(binary: Path, folder: Path, device: str = "", *extra: str) -> Tree:
    blob = folder / "tree.dtb"
    subprocess.run(
        [binary, "-M", f"virt,gic-version=3,dumpdtb={blob}", "-cpu", "cortex-a57", "-display",
         "none", "-nodefaults", "-device", f"mali-csf{device}", *extra],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return parse(blob.read_bytes())


def cells(value: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(value) // 4}I", value)


GPU = "/gpu@b000000"


def test_default_node(qemu_binary: Path, tmp_path: Path) -> None:
    tree = dump(qemu_binary, tmp_path)
    gpu = tree[GPU]
    assert gpu["compatible"] == b"rockchip,rk3588-mali\0arm,mali-valhall-csf\0"
    assert cells(gpu["reg"]) == (0, 0x0B000000, 0, 0x200000)
    assert cells(gpu["interrupts"]) == (0, 192, 4, 0, 193, 4, 0, 194, 4)
    assert gpu["interrupt-names"] == b"job\0mmu\0gpu\0"
    assert gpu["clock-names"] == b"core\0"
    assert "dma-coherent" in tree["/"], "virt's own; so silence would mean coherent"
    assert "dma-noncoherent" in gpu
    by_phandle = {n["phandle"]: name for name, n in tree.items() if "phandle" in n}
    assert by_phandle[gpu["clocks"]] == "/gpu-clk"
    assert by_phandle[gpu["mali-supply"]] == by_phandle[gpu["sram-supply"]] == "/regulator-vdd-gpu"
    assert by_phandle[gpu["operating-points-v2"]] == "/opp-table-gpu"
    hz = cells(tree["/gpu-clk"]["clock-frequency"])
    assert cells(tree["/opp-table-gpu/opp-800000000"]["opp-hz"]) == (0, *hz)


def test_coherent(qemu_binary: Path, tmp_path: Path) -> None:
    gpu = dump(qemu_binary, tmp_path, ",coherent=on")[GPU]
    assert "dma-coherent" in gpu
    assert "dma-noncoherent" not in gpu


def test_mt8196(qemu_binary: Path, tmp_path: Path) -> None:
    """The node that makes panthor set the L2's ASN hash (panthor_drv.c:1884)."""
    gpu = dump(qemu_binary, tmp_path, ",dt-mt8196=on")[GPU]
    assert gpu["compatible"] == b"mediatek,mt8196-mali\0arm,mali-valhall-csf\0"


@pytest.mark.parametrize(
    ("off", "properties"),
    [
        ("dt-clock", {"clocks", "clock-names"}),
        ("dt-opp", {"operating-points-v2"}),
        ("dt-supplies", {"mali-supply", "sram-supply"}),
    ],
)
def test_variants(qemu_binary: Path, tmp_path: Path, off: str, properties: set[str]) -> None:
    whole = dump(qemu_binary, tmp_path)
    tree = dump(qemu_binary, tmp_path, f",{off}=off")
    assert whole[GPU].keys() - tree[GPU].keys() == properties


def test_no_node(qemu_binary: Path, tmp_path: Path) -> None:
    assert GPU not in dump(qemu_binary, tmp_path, ",dt=off")


def test_secure_machine_has_the_node(qemu_binary: Path, tmp_path: Path) -> None:
    extra = ("-M", "secure=on,virtualization=on")
    assert GPU in dump(qemu_binary, tmp_path, "", *extra)
