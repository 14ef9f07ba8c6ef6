# SPDX-License-Identifier: MIT
"""Guests that break in the middle of a scenario: an oops, an agent or a QEMU that is killed."""

from __future__ import annotations

from pathlib import Path

from rig.errors import FailureClass
from rig.verdict.verdict import Outcome
from tests.guest.damage import check_told, fresh_bed, judge

OOPS = """
    @scenario(flavour="direct")
    def test_oops(rig: Scenario) -> None:
        rig.load_helper()
        rig.try_run("sh", "-c", "echo 1 > /sys/kernel/debug/righeap/oops")
        rig.run("true")
"""
OOPS_THEN_WRONG = (
    OOPS
    + """
        rig.run("false")
"""
)
AGENT = """
    import pytest
    from rig.errors import RigError

    @scenario(flavour="direct")
    def test_agent_killed(rig: Scenario) -> None:
        rig.run("true")
        rig.serial.run(["killall", "-9", "rig-agent"], timeout=60)
        rig.run("sleep", "100", timeout=100)
"""
QEMU = """
    import os, signal

    @scenario(flavour="direct")
    def test_qemu_killed(rig: Scenario) -> None:
        rig.run("true")
        os.kill(rig.session.vm.pid, signal.SIGKILL)
        rig.run("sleep", "100", timeout=100)
"""


def test_an_oops_names_the_function(tmp_path: Path) -> None:
    """The guest lives on and every check holds: only the log tells."""
    verdict = judge(fresh_bed(), tmp_path, OOPS)
    assert (verdict.outcome, verdict.failure) == (Outcome.FAIL, FailureClass.OOPS)
    assert verdict.exit_code == 1
    assert "rig_follow" in verdict.sentence
    check_told(verdict)


def test_an_oops_outranks_the_check_that_fails_behind_it(tmp_path: Path) -> None:
    verdict = judge(fresh_bed(), tmp_path, OOPS_THEN_WRONG)
    assert (verdict.outcome, verdict.failure) == (Outcome.FAIL, FailureClass.OOPS)
    assert "rig_follow" in verdict.sentence
    assert "(after: `false` ended with status 1" in verdict.sentence
    check_told(verdict)


def test_a_killed_agent(tmp_path: Path) -> None:
    """init starts another, which knows nothing of what was asked: nothing was proved."""
    verdict = judge(fresh_bed(), tmp_path, AGENT)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.LOST)
    assert verdict.exit_code == 132
    assert "the guest's agent ended" in verdict.sentence
    check_told(verdict)


def test_a_killed_qemu(tmp_path: Path) -> None:
    verdict = judge(fresh_bed(), tmp_path, QEMU)
    assert (verdict.outcome, verdict.failure) == (Outcome.ERROR, FailureClass.LOST)
    assert verdict.exit_code == 132
    assert "QEMU was killed by signal 9" in verdict.sentence
    check_told(verdict)
