# SPDX-License-Identifier: MIT
"""The device-tree bindings that heap-phandle changes, by the kernel's own validator (dtschema).

Each way a reference can be wrong is tried as well: a schema that lets everything pass
would pass.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.machine import devicetree
from rig.options import Options
from rig.paths import REPO
from rig.testbed import TestBed
from rig.ui import Reporter

SERIES = REPO / "kernel_config" / "series" / "heap-phandle"
BINDINGS = "Documentation/devicetree/bindings"
GPU = f"{BINDINGS}/gpu/arm,mali-valhall-csf.yaml"
OPTEE = f"{BINDINGS}/arm/firmware/linaro,optee-tz.yaml"
INCLUDES = (
    "include/dt-bindings/clock/rockchip,rk3588-cru.h",
    "include/dt-bindings/interrupt-controller/arm-gic.h",
    "include/dt-bindings/interrupt-controller/irq.h",
    "include/dt-bindings/power/rk3588-power.h",
)
"""What the examples of the two bindings include."""
GOOD = "protected-memory = <&optee 1>;"
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
"""The distribution's tools run with the distribution's Python, not with our .venv."""
Example = Callable[..., str]


def tool(folder: Path, *argv: str, stdin: str | None = None, status: int = 0) -> str:
    """What a program says, on both its outputs; it must end with `status`."""
    done = subprocess.run(
        argv, cwd=folder, env=ENV, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{argv[0]}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two bindings and what they include, as the whole series leaves them."""
    bed = TestBed(Options(series=(SERIES,)), Reporter())
    folder = tmp_path_factory.mktemp("bindings")
    for name in (GPU, OPTEE, *INCLUDES):
        content = bed.repo.read(bed.tree, name)
        assert content is not None, name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "schema.json").write_text(tool(folder, "dt-mk-schema", "-j", GPU, OPTEE))
    return folder


@pytest.fixture(scope="module")
def example(tree: Path) -> Example:
    """Check a binding's example, with a change in it; returns what the validator objects to."""

    def call(binding: str, old: str = "", new: str = "") -> str:
        source = tool(tree, "dt-extract-example", binding)
        assert source.count(old), f"the example does not say {old!r}"
        flat = tool(tree, "cpp", "-nostdinc", "-undef", "-P", "-x", "assembler-with-cpp",
                    "-Iinclude", stdin=source.replace(old, new) if old else source)  # fmt: skip
        tool(tree, "dtc", "-q", "-O", "dtb", "-o", "example.dtb", "-", stdin=flat)
        return tool(tree, "dt-validate", "-s", "schema.json", "example.dtb")

    return call


@pytest.mark.parametrize("binding", [GPU, OPTEE])
def test_the_binding_is_one(tree: Path, binding: str) -> None:
    assert tool(tree, "dt-doc-validate", "-u", BINDINGS, binding) == ""
    broken = (tree / binding).read_text().replace("const: ", "constant: ")
    (tree / binding).with_name("broken.yaml").write_text(broken)
    name = f"{Path(binding).parent}/broken.yaml"
    assert "'constant'" in tool(tree, "dt-doc-validate", name, status=1)


@pytest.mark.parametrize("binding", [GPU, OPTEE])
def test_its_example_is_valid(example: Example, binding: str) -> None:
    assert example(binding) == ""


@pytest.mark.parametrize(
    ("binding", "old", "new", "objection"),
    [
        (GPU, GOOD, "protected-memory = <&optee>;", "is too short"),
        (GPU, GOOD, "protected-memory = <&optee 1>, <&optee 2>;", "is too long"),
        (GPU, GOOD, "protected-memory = <&optee 1 2>;", "is too long"),
        (GPU, GOOD, "protected-memories = <&optee 1>;", "does not match any of the regexes"),
        (OPTEE, "#protected-memory-cells = <1>;", "#protected-memory-cells = <2>;",
         "1 was expected"),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_refused(
    example: Example, binding: str, old: str, new: str, objection: str
) -> None:
    assert objection in example(binding, old, new)


def test_the_rig_speaks_the_binding(tree: Path) -> None:
    """The properties that guests are given are those of the binding, cell for cell."""
    (cells, memory) = devicetree.memory_of_optee()
    assert (memory.line(), cells.line()) == (
        f"{devicetree.GPU_NODE} protected-memory &{devicetree.OPTEE_NODE} 1",
        f"{devicetree.OPTEE_NODE} #protected-memory-cells 1",
    )
    assert GOOD in (tree / GPU).read_text()
    assert f"{cells.name} = <1>;" in (tree / OPTEE).read_text()
