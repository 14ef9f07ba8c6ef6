# SPDX-License-Identifier: MIT
"""Which scenarios there are, and which of them the user means."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.errors import infra, usage

FOLDER = Path(__file__).parent / "scenarios"
_NO_FAMILY = {"__init__.py", "kit.py", "terms.py"}


@dataclass(frozen=True)
class Entry:
    """One scenario of the catalogue, found without importing it."""

    family: str
    name: str
    file: Path
    function: str
    on_demand: str = ""
    """Why it runs only when it is named; empty: it always does."""
    reviews: tuple[str, ...] = ()
    """The review findings (`rig.review_table`) that it speaks to."""
    flavour: str = "secure"
    """How its guest boots: with OP-TEE, or directly."""

    @property
    def id(self) -> str:
        """``family/name``, as the user writes it."""
        return f"{self.family}/{self.name}"

    @property
    def node(self) -> str:
        """pytest's node id."""
        return f"{self.file}::{self.function}"


def dashed(text: str) -> str:
    """Python's name as the user's: ``probe_defer`` is ``probe-defer``."""
    return text.replace("_", "-")


def scenario_id(file: Path, function: str) -> str:
    """Id of a test function."""
    return f"{dashed(file.stem)}/{dashed(function.removeprefix('test_'))}"


def entries(folder: Path = FOLDER) -> list[Entry]:
    """All scenarios, in file and definition order."""
    found: list[Entry] = []
    for file in sorted(folder.glob("*.py")):
        if file.name in _NO_FAMILY:
            continue
        body = _parsed(file).body
        reason = _on_demand(body)
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                family, name = scenario_id(file, node.name).split("/")
                reviews = _reviews(node)
                how = _argument(node, "flavour", "secure")
                found.append(Entry(family, name, file, node.name, reason, reviews, str(how)))
    return found


def _on_demand(body: Sequence[ast.stmt]) -> str:
    """A family's `ON_DEMAND = "reason"`: it runs only when it is named."""
    for node in body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="ON_DEMAND")], value=ast.Constant(value=str(reason))
            ):
                return reason
    return ""


def _argument(function: ast.FunctionDef, name: str, default: object) -> object:
    """What `@scenario(name=...)` gives."""
    calls = [call for call in function.decorator_list if isinstance(call, ast.Call)]
    given = [key.value for call in calls for key in call.keywords if key.arg == name]
    return ast.literal_eval(given[0]) if given else default


def _reviews(function: ast.FunctionDef) -> tuple[str, ...]:
    """The ids in `@scenario(reviews=(...))`."""
    found = _argument(function, "reviews", ())
    assert isinstance(found, tuple)
    return found


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(), str(file))
    except (SyntaxError, UnicodeDecodeError, OSError) as exc:
        raise infra(f"cannot read the scenarios of {file.name}: {exc}", "mend the file") from exc


def select(names: Sequence[str], catalogue: Sequence[Entry]) -> list[Entry]:
    """The entries that `names` (families or ids) mean; no name means all that always run.

    Raises `RigError` (USAGE) for a name that is neither.
    """
    chosen: dict[str, Entry] = {}
    for name in names:
        hits = [entry for entry in catalogue if name in (entry.family, entry.id)]
        if not hits:
            families = sorted({entry.family for entry in catalogue})
            raise usage(
                f"no scenario or family {name!r}",
                f"families: {', '.join(families)}; `rig run --list` shows all scenarios",
            )
        chosen.update((hit.id, hit) for hit in hits)
    return list(chosen.values()) if names else [e for e in catalogue if not e.on_demand]
