# SPDX-License-Identifier: MIT
"""A guest that is restored while its module is built: who gets it, and that it never stays."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from rig.ahead import Ahead
from rig.errors import infra
from rig.session import GuestConfig, Session

SECURE, DIRECT = GuestConfig(), GuestConfig("direct")


@dataclass
class Guest:
    """A session that comes up when it is let."""

    run_dir: Path
    config: GuestConfig = SECURE
    error: Exception | None = None
    let: threading.Event = field(default_factory=threading.Event)
    awake: bool = False
    closed: int = 0

    def wake(self) -> None:
        self.let.wait(20)
        self.run_dir.mkdir()
        if self.error is not None:
            raise self.error
        self.awake = True

    def close(self) -> None:
        self.closed += 1


def started(guest: Guest) -> Ahead:
    guest.let.set()
    return Ahead(cast(Session, guest), "booted")


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path / "guest")


def test_it_is_the_takers_once(guest: Guest) -> None:
    ahead = started(guest)
    taken: Any = ahead.take(guest.run_dir, SECURE, "booted")
    assert taken is guest
    assert ahead.take(guest.run_dir, SECURE, "booted") is None
    ahead.close()
    assert guest.closed == 0, "whoever took it closes it"
    assert guest.run_dir.exists()


def test_who_takes_waits_for_it(guest: Guest) -> None:
    ahead = Ahead(cast(Session, guest), "booted")
    threading.Timer(0.1, guest.let.set).start()
    assert ahead.take(guest.run_dir, SECURE, "booted") is not None


@pytest.mark.parametrize("other", ["folder", "config", "stage"])
def test_another_than_the_wanted_is_taken_down_first(guest: Guest, other: str) -> None:
    ahead = started(guest)
    folder = guest.run_dir.parent if other == "folder" else guest.run_dir
    config = DIRECT if other == "config" else SECURE
    assert ahead.take(folder, config, "pre-insmod" if other == "stage" else "booted") is None
    assert guest.closed == 1
    assert not guest.run_dir.exists()
    ahead.close()
    assert guest.closed == 1


def test_one_that_nobody_took_leaves_nothing(guest: Guest) -> None:
    ahead = Ahead(cast(Session, guest), "booted")
    threading.Timer(0.1, guest.let.set).start()
    ahead.close()
    assert guest.closed == 1
    assert not guest.run_dir.exists()


@pytest.mark.parametrize("error", [infra("no"), FileNotFoundError("gone")])
def test_one_that_does_not_come_up_is_nobodys(guest: Guest, error: Exception) -> None:
    """It has closed itself; the folder is that of the guest that is restored instead."""
    guest.error = error
    ahead = started(guest)
    assert ahead.take(guest.run_dir, SECURE, "booted") is None
    ahead.close()
    assert guest.closed == 0
    assert guest.run_dir.exists()
