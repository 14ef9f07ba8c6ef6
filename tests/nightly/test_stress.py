# SPDX-License-Identifier: MIT
"""64 groups with eight queues each: asleep, saved and restored in the middle of it all."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.deadlines import scaled
from rig.machine import snapshot
from rig.options import Options
from rig.scenarios.kit import Scenario
from rig.scenarios.stress import GROUPS, MESH, ROUND_S, ROUNDS, SEED, check_ended, check_rotated
from rig.session import GuestConfig, Session, Start
from rig.snapshots import Shelf
from rig.stages import BOOTED
from rig.testbed import TestBed
from rig.ui import Reporter
from rig.verdict import oracles
from tests.guest.conftest import Rig, told

DIRECT = GuestConfig("direct")


def test_the_seeded_mesh(rig: Rig) -> None:
    assert told(rig("stress")) == {"stress/mesh": ("PASS", None)}


def test_a_lost_register_shows(rig: Rig) -> None:
    """A device that resumes groups from nothing."""
    row = rig("--fault", "ignore-suspend-buf=1", "stress").verdicts["stress/mesh"]
    assert row["outcome"] == "FAIL"
    assert "wrong records" in row["sentence"]


def start(session: Session) -> None:
    rig = Scenario(session)
    rig.load_panthor(heap=None)
    rig.wait_bound()
    process = rig.spawn("gpuctl", "mesh", *MESH)
    process.expect("PHASE 0", scaled(ROUND_S))
    process.write(b"\n" * ROUNDS)


def working(session: Session, resumes: int) -> Scenario:
    """In the middle of a round, so many more resumes further on."""
    rig = Scenario(session)
    before = len(rig.events("csg-resume"))
    rig.wait(lambda: len(rig.events("csg-resume")) >= before + resumes, "groups that take turns",
             timeout=ROUND_S)  # fmt: skip
    return rig


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """For guests' RAM, which pytest would keep."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_saved_and_restored_while_it_works(room: Path, seed: int) -> None:
    bed = TestBed(Options(), Reporter())
    bed.build_all()
    chance = random.Random(seed)
    origin, loaded = Shelf(bed, room).get(DIRECT, BOOTED), False
    for number in range(ROUNDS - 1):
        folder = room / f"saved-{number}"
        folder.mkdir()
        begin = Start(origin, saved_again=True, loaded=loaded)
        with Session(bed, room / f"guest-{number}", DIRECT, begin) as session:
            if not loaded:
                start(session)
            working(session, chance.randrange(1, GROUPS))
            session.save(folder)
        snapshot.seal(folder)
        origin, loaded = folder, True
    with Session(bed, room / "last", DIRECT, Start(origin, loaded=True)) as session:
        (process,) = session.agent.processes()
        check_ended(process)
        check_rotated(Scenario(session))
        oracles.token(session, session.shell)
        assert oracles.complaints(session, []) == []
