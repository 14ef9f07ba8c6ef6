# SPDX-License-Identifier: MIT
"""What the panthor driver says when its GPU does not behave: one row a rule.

The patterns are the driver's own format strings (drivers/gpu/drm/panthor of 7.3).
It prints nothing when a reset begins; that is seen in the device's event log.
"""

from __future__ import annotations

from rig.errors import FailureClass
from rig.verdict.rule import Rule, rule

_HANG = FailureClass.HANG
_ASSERT = FailureClass.ASSERT
_DRM = r"panthor \S+: \[drm\] (?:\*ERROR\* )?"


def _gpu(name: str, start: str, title: str) -> Rule:
    """The driver says that the GPU or its firmware does not answer."""
    return rule(name, _HANG, _DRM + start, title)


PANTHOR_RULES = (
    _gpu(
        "gpu-unusable",
        r"Failed to boot MCU after reset, making device unusable",
        "GPU unusable after a reset",
    ),
    _gpu(
        "gpu-mcu-boot", r"Failed to boot MCU \(status=(?P<what>\w+)\)", "MCU does not boot ({what})"
    ),
    _gpu("gpu-fw-reset", r"FW (?P<what>fast|slow) reset failed", "firmware {what} reset failed"),
    _gpu(
        "gpu-fast-reset", r"Fast reset failed, trying a slow reset", "fast reset failed on resume"
    ),
    _gpu("gpu-ping", r"FW ping timeout, scheduling a reset", "firmware does not answer its ping"),
    _gpu("gpu-csg-request", r"CSG \d+ update request timedout", "CSG update request timed out"),
    _gpu("gpu-csg-suspend", r"CSG suspend failed, escalating to termination", "CSG suspend failed"),
    _gpu("gpu-csg-progress", r"CSG slot \d+ progress timeout", "CSG progress timeout"),
    _gpu(
        "gpu-csg-state",
        r"Invalid state on CSG \d+ \(state=(?P<what>\d+)\)",
        "CSG in invalid state {what}",
    ),
    _gpu("gpu-job-timeout", r"job timeout: pid=", "job timeout"),
    _gpu("gpu-flush", r"Flush caches timeout", "cache flush timed out"),
    _gpu("gpu-soft-reset", r"(?:Soft reset timeout|RESET timed out)", "GPU reset timed out"),
    _gpu("gpu-mcu-stop", r"Failed to stop MCU", "MCU does not stop"),
    _gpu("gpu-mcu-halt", r"Timed out waiting for MCU to halt", "MCU does not halt"),
    _gpu("gpu-mcu-suspend", r"Failed to cleanly suspend MCU", "MCU not suspended cleanly"),
    _gpu(
        "gpu-power",
        r"timeout waiting on (?P<what>\w+)(?::[\da-f]+ (?:power transition|readiness)"
        r"| power domain transition)",
        "{what} power transition timed out",
    ),
    _gpu(
        "gpu-power-domain",
        r"(?:Retracting|Delegating) (?P<what>\w+) domain timeout|(?P<also>\w+) domain power"
        r" in transition",
        "power domain hand-over failed",
    ),
    _gpu("gpu-as", r"AS_ACTIVE bit stuck", "MMU command does not end"),
    # the GPU answers, with a fault
    rule(
        "gpu-mmu-fault",
        _ASSERT,
        _DRM + r"Unhandled Page fault in AS\d+",
        "GPU page fault: {what}",
        end=r"^source id",
        where=r"^exception type 0x\S+: (?P<what>\S+)",
    ),
    rule(
        "gpu-fault",
        _ASSERT,
        _DRM + r"GPU Fault (?:0x\S+ \((?P<what>.*?)\) at|(?P<mode>in protected mode))",
        "GPU fault {what}{mode}",
    ),
    rule(
        "gpu-cs-fatal",
        _ASSERT,
        r"^CS_FATAL\.EXCEPTION_TYPE: 0x\S+ \((?P<what>\w+)\)",
        "CS_FATAL: {what}",
    ),
    rule(
        "gpu-cs-fault",
        _ASSERT,
        r"^CS_FAULT\.EXCEPTION_TYPE: 0x\S+ \((?P<what>\w+)\)",
        "CS_FAULT: {what}",
    ),
    # whatever else the driver calls an error: an unknown one is a finding, not noise
    rule(
        "gpu-error",
        _ASSERT,
        r"panthor \S+: (?:\[drm\] )?\*ERROR\* (?P<what>.*)",
        "panthor error: {what}",
    ),
    # drivers/base: dev_err_probe(), really_probe()
    rule(
        "gpu-probe",
        FailureClass.PROBE,
        r"panthor \S+: (?:error -\w+: |probe with driver panthor failed with )(?P<what>.*)",
        "panthor probe failed: {what}",
    ),
)
