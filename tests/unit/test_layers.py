# SPDX-License-Identifier: MIT
"""Data flows one way (docs/architecture.md): nothing imports against the arrow."""

from __future__ import annotations

import ast
from pathlib import Path

from rig.paths import REPO

LAYERS: tuple[tuple[str, ...], ...] = (
    ("rig.errors", "rig.interrupt", "rig.paths", "rig.pytest_plugin"),
    ("rig.environment", "rig.hold", "rig.leftovers"),
    ("rig.ui", "rig.deadlines", "rig.doctor", "rig.store", "rig.cache", "rig.journal"),
    ("rig.kernel",),
    ("rig.artifacts",),
    ("rig.gpu", "rig.guest", "rig.machine"),
    ("rig.options",),
    ("rig.testbed",),
    ("rig.tested",),
    ("rig.rootdisk", "rig.knobs"),
    ("rig.session",),
    ("rig.debian",),
    ("rig.verdict",),
    ("rig.bundle",),
    ("rig.live", "rig.debug"),
    ("rig.introspect",),
    ("rig.scenarios", "rig.catalogue"),
    ("rig.stages",),
    ("rig.snapshots", "rig.ahead"),
    ("rig.judge",),
    ("rig.durations",),
    ("rig.runner",),
    ("rig.teeth", "rig.states", "rig.watch", "rig.review_table", "rig.reviews"),
    ("rig.replay", "rig.series", "rig.bisect", "rig.flakes", "rig.remote"),
    ("rig.matrix",),
    ("rig.b4", "rig.report", "rig.bench"),
    ("rig.cli",),
)


def layer(module: str) -> int:
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return number
    raise AssertionError(f"{module} has no place in the layers of docs/architecture.md")


def module_of(file: Path) -> str:
    parts = file.relative_to(REPO).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rig"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += names if node.module == "rig" else [node.module]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("rig.")]
    return found


def test_imports_follow_the_arrow() -> None:
    against = []
    for file in sorted((REPO / "rig").rglob("*.py")):
        importer = module_of(file)
        if importer == "rig":
            continue
        against += [
            f"{importer} imports {imported}"
            for imported in imports(file)
            if layer(imported) > layer(importer)
        ]
    assert against == []


def test_the_product_never_reads_shared() -> None:
    """What it needs, it has."""
    needle = "../" + "shared"
    readers = [p for p in (REPO / "rig").rglob("*.py") if needle in p.read_text()]
    assert readers == []
