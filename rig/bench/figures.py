# SPDX-License-Identifier: MIT
"""A measured figure: its samples, their spread, and the budget of a ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

BUDGET = 1.15
"""How much longer a boot may take through the rig than under bare QEMU."""


@dataclass(frozen=True)
class Figure:
    """Samples of one quantity, all taken in the same run."""

    name: str
    unit: str
    samples: tuple[float, ...]
    """At least one, in the order they were taken."""
    budget: float | None = None
    """Upper limit of the value; None: only reported."""
    ratio: float | None = None
    """For what is compared: quotient of two medians. Then it is the value, and `samples`
    are the quotients of neighbours, for the spread."""

    @property
    def value(self) -> float:
        """The median, or the ratio of medians."""
        return median(self.samples) if self.ratio is None else self.ratio

    @property
    def over(self) -> bool:
        """Whether it is above its budget."""
        return self.budget is not None and self.value > self.budget

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "samples": list(self.samples),
            "min": min(self.samples),
            "max": max(self.samples),
            "budget": self.budget,
            "over": self.over,
        }


def compared(name: str, ours: Sequence[float], bare: Sequence[float], budget: float) -> Figure:
    """Median of `ours` over median of `bare`; sample i of both was taken back to back."""
    pairs = tuple(a / b for a, b in zip(ours, bare, strict=True))
    return Figure(name, "ratio", pairs, budget, median(ours) / median(bare))
