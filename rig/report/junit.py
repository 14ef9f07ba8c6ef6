# SPDX-License-Identifier: MIT
"""Verdicts as a JUnit file: a FAIL is a failure, an ERROR an error, NOT_APPLICABLE a skip."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from rig.runner import RunResult
from rig.verdict.verdict import Outcome, Verdict

_TAG = {Outcome.FAIL: "failure", Outcome.ERROR: "error", Outcome.NOT_APPLICABLE: "skipped"}


def write_junit(path: Path, title: str, result: RunResult) -> None:
    """Write the file; the suite is named after what was tested."""
    count = {outcome: sum(v.outcome is outcome for v in result.verdicts) for outcome in Outcome}
    suite = ET.Element(
        "testsuite",
        name=title,
        tests=str(len(result.verdicts)),
        failures=str(count[Outcome.FAIL]),
        errors=str(count[Outcome.ERROR]),
        skipped=str(count[Outcome.NOT_APPLICABLE]),
        time=f"{result.seconds:.3f}",
    )
    for verdict in result.verdicts:
        suite.append(_case(verdict))
    ET.indent(suite)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _case(verdict: Verdict) -> ET.Element:
    family, name = verdict.scenario.split("/", 1)
    case = ET.Element("testcase", classname=family, name=name, time=f"{verdict.seconds:.3f}")
    if verdict.notes:  # properties come first: the order of JUnit's schema
        properties = ET.SubElement(case, "properties")
        for note in verdict.notes:
            ET.SubElement(properties, "property", name=note.kind.value, value=note.text)
    tag = _TAG.get(verdict.outcome)
    if tag is not None:
        kind = verdict.failure.label if verdict.failure else verdict.outcome.value
        reason = ET.SubElement(case, tag, type=kind, message=verdict.sentence)
        reason.text = f"logs: {verdict.run_dir}" if verdict.run_dir else None
    return case
