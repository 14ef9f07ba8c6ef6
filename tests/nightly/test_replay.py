# SPDX-License-Identifier: MIT
"""`rig replay` of a run that was not recorded: it runs again with a recording first."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from rig.bundle import GUEST, Guest, load, save
from tests.guest.test_replay import BREAK_IT, SCENARIO, rig


def failed_run() -> Path:
    """The folder of a run, restored and not recorded, in which the scenario failed."""
    code, told = rig("run", "--fault", BREAK_IT, SCENARIO)
    assert code == 1
    run = re.search(r"^logs: (.*)$", told, re.MULTILINE)
    assert run is not None
    return Path(run[1])


def test_a_failure_is_recorded_when_it_happens_again() -> None:
    run = failed_run()
    code, told = rig("replay", str(run))
    assert "was not recorded: it runs again" in told
    assert code == 0
    for name, least in (("GPU events", 60), ("firewall events", 1), ("console.log", 100)):
        found = re.search(rf"^{name}: (\d+), the same$", told, re.MULTILINE)
        assert found is not None
        assert int(found[1]) >= least

    (file,) = run.glob(f"*/{GUEST}")
    then = load(file, Guest)
    save(file, msgspec.structs.replace(then, sentence="another check of its failed"))
    code, told = rig("replay", str(run))
    assert code == 1
    assert "then it was FAIL: another check of its failed" in told
    assert "did not end like that again: there is nothing to replay" in told
    assert "the same" not in told
