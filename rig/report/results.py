# SPDX-License-Identifier: MIT
"""Verdicts as JSON, for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rig.runner import RunResult
from rig.testbed import TestBed
from rig.verdict.verdict import Verdict


def write(path: Path, bed: TestBed, result: RunResult) -> None:
    """Write a run's verdicts and what they were found on."""
    document = {
        "tree": bed.tree.id,
        "label": bed.tree.label,
        "contract": bed.contract.contract.name,
        "gpu": bed.options.gpu,
        "build_id": bed.panthor.build_id,
        "seconds": round(result.seconds, 2),
        "verdicts": [_verdict(verdict) for verdict in result.verdicts],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "failure": verdict.failure.label if verdict.failure else None,
        "sentence": verdict.sentence,
        "seconds": round(verdict.seconds, 3),
        "stages": {name: round(seconds, 3) for name, seconds in verdict.stages.items()},
        "hint": verdict.hint,
        "notes": [{"kind": note.kind.value, "text": note.text} for note in verdict.notes],
        "run_dir": str(verdict.run_dir) if verdict.run_dir else None,
    }
