# SPDX-License-Identifier: MIT
"""What a killed run leaves is gone with the next one; what it said stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rig.leftovers import JOB, job_folder, sweep, sweep_temporary, temporary
from rig.runner import new_run_dir
from rig.store import Store


def killed_run(folder: Path, sockets: Path) -> Path:
    """A run folder as SIGKILL of a rig and of its janitors leaves it."""
    guest = folder / "no-reset" / "driver.reload"
    guest.mkdir(parents=True)
    for name in ("ram", "initrd.cpio", "guest.new", "guest.json", "console.log"):
        (guest / name).write_text("x")
    (guest / "sockets").symlink_to(sockets)
    return guest


def test_sweep_keeps_what_the_guest_said(tmp_path: Path) -> None:
    sockets = tmp_path / "rig-abc"
    sockets.mkdir()
    guest = killed_run(tmp_path / "run", sockets)
    sweep(tmp_path / "run")
    assert sorted(path.name for path in guest.iterdir()) == ["console.log", "guest.json"]
    assert not sockets.exists()


def test_sweep_follows_no_link_but_its_own(tmp_path: Path) -> None:
    mine, gone = tmp_path / "mine", tmp_path / "rig-gone"
    mine.mkdir()
    guest = killed_run(tmp_path / "run", mine)
    other = killed_run(tmp_path / "run2", gone)
    sweep(tmp_path / "run")
    sweep(tmp_path / "run2")
    assert mine.exists()
    assert not os.path.lexists(guest / "sockets")
    assert not os.path.lexists(other / "sockets")


def test_the_next_run_sweeps_what_is_over_and_leaves_alone_what_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    over = killed_run(tmp_path / "runs" / "20260101-000000-run", tmp_path / "rig-x")
    code = (
        "import sys; from pathlib import Path; from rig.runner import new_run_dir; "
        "from rig.store import Store; print(new_run_dir(Store(Path(sys.argv[1]))), flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        live = killed_run(Path(other.stdout.readline().strip()), tmp_path / "rig-y")
        new_run_dir(store)
        assert not (over / "initrd.cpio").exists()
        assert (over / "console.log").exists()
        assert (live / "initrd.cpio").exists(), "its rig still runs"
        assert other.stdin is not None
        other.stdin.close()
    new_run_dir(store)
    assert not (live / "initrd.cpio").exists()


def test_jobs_of_killed_workers_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sockets = tmp_path / "rig-abc"
    sockets.mkdir()
    left = tmp_path / "rig-job-left"
    killed_run(left / "run", sockets)
    (left / JOB).write_text("x")
    (tmp_path / "rig-job-empty").mkdir()
    with job_folder(b"mine") as folder:
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
        with job_folder(b"another") as other:
            sweep_temporary()
            assert (folder / JOB).read_bytes() == b"mine"
            assert (other / JOB).read_bytes() == b"another"
    assert not any(tmp_path.iterdir())


def test_temporary_folders_of_killed_rigs_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import sys; from rig.leftovers import temporary\n"
        "with temporary('mail') as folder:\n"
        "    print(folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        sweep_temporary()
        assert folder.exists(), "its process still runs"
        other.kill()
    assert folder.exists()
    with temporary("index") as mine:
        sweep_temporary()
        assert [path.name for path in tmp_path.iterdir()] == [mine.name]
