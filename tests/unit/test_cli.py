# SPDX-License-Identifier: MIT
"""Bad input: one clear line, the next step, the right exit code, no traceback."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rig import interrupt
from rig.cli import main as cli
from rig.errors import FailureClass, infra
from rig.store import Store

USAGE = FailureClass.USAGE.exit_code


@pytest.fixture(autouse=True)
def _unheard() -> Iterator[None]:
    interrupt.forget()
    yield
    interrupt.forget()


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "cache"
    monkeypatch.setenv("RIG_CACHE", str(root))
    return root


def kernel_tree(folder: Path, *, panthor: bool) -> Path:
    folder.mkdir()
    (folder / "Kconfig").touch()
    (folder / "Makefile").touch()
    if panthor:
        driver = folder / "drivers/gpu/drm/panthor"
        driver.mkdir(parents=True)
        (driver / "panthor_drv.c").write_text("int x;\n")
    return folder


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["frobnicate"], "No such command"),
        (["run", "no-such-family"], "no scenario or family 'no-such-family'"),
        (["run", "--kernel", "/nowhere/linux"], "no kernel tree at /nowhere/linux"),
        (["run", "--fault", "x"], "give NAME=NUMBER"),
        (["run", "--mutant", "gentle"], "no mutant 'gentle'"),
        (["run", "--series", "a", "--no-series"], "exclude each other"),
        (["run", "--contract", "v9"], "no contract 'v9'"),
        (["build", "everything"], "'everything' is not one of 'qemu'"),
        (["teeth", "no-such-mutant"], "no mutant 'no-such-mutant'"),
        (["run", "--gpu", "g9999"], "no GPU 'g9999'"),
        (["verdict"], "Missing argument"),
        (["ssh", "--guest", "live", "--stage", "booted"], "--stage chooses a new guest"),
        (["gdb", "--guest", "live", "--firewall", "off"], "--firewall chooses a new guest"),
        (["series", "/nowhere/v5.mbox"], "no series at /nowhere/v5.mbox"),
        (["bisect", "a", "b", "--scenario", "driver", "--kernel", "/nowhere"], "is a family"),
        (["bisect", "a", "b", "--scenario", "driver/pings", "--kernel", "/no/x"], "no kernel tree"),
        (["bisect", "0", "1", "--scenario", "driver/pings", "--prereq", "x"], "goes with --series"),
    ],
)
def test_wrong_words(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(argv) == USAGE
    err = capsys.readouterr().err
    assert says in err
    assert "next:" in err
    assert "Traceback" not in err


def test_a_folder_that_is_no_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["run", "--kernel", str(tmp_path)]) == USAGE
    assert "is not a Linux source tree" in capsys.readouterr().err


def test_a_kernel_without_panthor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = kernel_tree(tmp_path / "linux", panthor=False)
    assert cli._run(["run", "--kernel", str(tree)]) == USAGE
    assert "has no panthor driver" in capsys.readouterr().err


def test_a_missing_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = kernel_tree(tmp_path / "linux", panthor=True)
    argv = ["run", "--kernel", str(tree), "--series", str(tmp_path / "v5.mbox")]
    assert cli._run(argv) == USAGE
    assert "no series at" in capsys.readouterr().err


def test_a_series_that_does_not_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = kernel_tree(tmp_path / "linux", panthor=True)
    patch = tmp_path / "0001-x.patch"
    patch.write_text(PATCH)
    assert cli._run(["build", "modules", "--kernel", str(tree), "--series", str(patch)]) == 125
    err = capsys.readouterr().err
    assert "patch 1/1 (Change what is not there) does not apply" in err
    assert "drivers/gpu/drm/panthor/panthor_drv.c:1" in err


@pytest.mark.parametrize(
    ("number", "becomes", "says"),
    [
        (signal.SIGINT, None, "stopped by Ctrl-C"),
        (signal.SIGTERM, None, "stopped by SIGTERM"),
        (signal.SIGTERM, infra("files could not be removed"), "look after this: files could"),
        (signal.SIGINT, AssertionError("two at a time"), "stopped by Ctrl-C"),
        (signal.SIGINT, click.Abort(), "stopped by Ctrl-C"),
        (signal.SIGHUP, "dropped", "stopped by SIGHUP"),
    ],
)
def test_a_signal_outranks_what_it_sets_off(
    number: signal.Signals, becomes: object, says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def interrupted(**_arguments: object) -> int:
        try:
            interrupt.on_signal(number, None)
        except KeyboardInterrupt:
            if isinstance(becomes, BaseException):
                raise becomes  # noqa: B904 - a teardown that fails
            if becomes is None:
                raise
        return 0

    monkeypatch.setattr(cli.cli, "main", interrupted)
    assert cli._run([]) == FailureClass.INTERRUPTED.exit_code
    err = capsys.readouterr().err
    assert says in err
    assert "next:" in err


def _end_of_file() -> None:
    raise EOFError("cut")


def test_an_end_of_file_in_the_rig_is_no_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """click takes it for one."""
    command = click.Command("x", callback=_end_of_file)
    monkeypatch.setattr(cli._Lazy, "get_command", lambda *_: command)
    assert cli._run(["x"]) == FailureClass.INFRA.exit_code
    assert "a bug in the rig: EOFError: cut" in capsys.readouterr().err


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(**_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli.cli, "main", full)
    assert cli._run([]) == FailureClass.INFRA.exit_code
    assert "no space left" in capsys.readouterr().err


def test_a_store_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setenv("RIG_CACHE", str(blocker / "cache"))
    assert cli._run(["cache", "ls"]) == FailureClass.INFRA.exit_code


def test_a_failing_build_leaves_the_store_as_it_was(own_store: Path) -> None:
    store = Store()
    with pytest.raises(Exception, match="broke"), store.publishing("x", "k", {}) as out:
        (out / "half").touch()
        raise infra("the build broke")
    assert store.find("x", "k") is None
    assert list((own_store / "tmp").iterdir()) == []


PATCH = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Tester <tester@example.invalid>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH] Change what is not there

---
 drivers/gpu/drm/panthor/panthor_drv.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/drivers/gpu/drm/panthor/panthor_drv.c b/drivers/gpu/drm/panthor/panthor_drv.c
--- a/drivers/gpu/drm/panthor/panthor_drv.c
+++ b/drivers/gpu/drm/panthor/panthor_drv.c
@@ -1 +1 @@
-int y;
+int z;
--
2.39.5
"""
