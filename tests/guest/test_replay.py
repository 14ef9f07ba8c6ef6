# SPDX-License-Identifier: MIT
"""`rig replay`: a failing scenario, recorded and replayed, as a person does it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rig.machine import recording

SCENARIO = "protected-mode/spurious-exit"
"""It sets a fault and closes memory by the monitor while the guest runs."""
BREAK_IT = "protm-enter-never=1"


def rig(*argv: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "rig.cli.main", *argv],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    print(done.stdout)
    return done.returncode, done.stdout


def test_a_failure_is_replayed_event_for_event() -> None:
    code, told = rig("run", "--record", "--fault", BREAK_IT, SCENARIO)
    assert code == 1
    run = re.search(r"^logs: (.*)$", told, re.MULTILINE)
    assert run is not None
    (guest,) = Path(run[1]).glob(f"*/{recording.NAME}")
    kept = recording.read(guest.parent)
    assert kept is not None
    assert [step.name for step in kept.told] == [
        "protect", "fault-protm-exit-spurious",
    ]  # fmt: skip

    code, told = rig("replay", run[1])
    assert code == 0
    for name, least in (("GPU events", 60), ("firewall events", 1), ("console.log", 100)):
        found = re.search(rf"^{name}: (\d+), the same$", told, re.MULTILINE)
        assert found is not None
        assert int(found[1]) >= least
    again = re.search(r"^replayed: (.*)$", told, re.MULTILINE)
    assert again is not None
    events = "gpu-events.jsonl"
    assert (Path(again[1]) / events).read_bytes() == (guest.parent / events).read_bytes()
