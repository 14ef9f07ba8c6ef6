# SPDX-License-Identifier: MIT
"""The user's tree: read as it is, never written; and the rig's own view of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.errors import FailureClass, RigError
from rig.kernel.patches import Patch
from rig.kernel.repo import PANTHOR, KernelRepo, Tree
from rig.store import Store

DRIVER = f"{PANTHOR}/panthor_drv.c"
IDENTITY = {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}


def git(tree: Path, *argv: str) -> str:
    """The user's own git."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "gc.auto=0"]
    done = subprocess.run(
        ["git", *who, *argv], cwd=tree, env=IDENTITY, check=True, capture_output=True, text=True
    )
    return done.stdout


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


SOURCE = {
    "Kconfig": "mainmenu\n",
    "Makefile": "all:\n",
    DRIVER: "int one;\nint two;\nint three;\n",
    f"{PANTHOR}/panthor_fw.c": "int fw;\n",
    ".gitignore": "*.o\n.*\n!.gitignore\n/include/generated/\nkept.o\nfixdep\n",
    "scripts/basic/fixdep.c": "int main;\n",
}
BUILT = {
    ".config": "CONFIG_X=y\n",
    "include/generated/autoconf.h": "#define X\n",
    "include/config/auto.conf": "CONFIG_X=y\n",
    f"{PANTHOR}/panthor_drv.o": "object\n",
    f"{PANTHOR}/.panthor_drv.o.cmd": "savedcmd\n",
    "scripts/basic/fixdep": "program\n",
    "scripts/basic/.fixdep.cmd": "savedcmd\n",
    "vmlinux": "elf\n",
}


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    tree = tmp_path / "linux"
    write(tree, SOURCE)
    return tree


@pytest.fixture
def checkout(tarball: Path) -> Path:
    (tarball / ".gitignore").write_text(SOURCE[".gitignore"] + "vmlinux\n/include/config/\n")
    (tarball / "kept.o").write_text("tracked although ignored\n")
    git(tarball, "init", "-q")
    git(tarball, "add", "-A")
    git(tarball, "add", "-f", "kept.o")
    git(tarball, "commit", "-qm", "base")
    return tarball


@pytest.fixture
def repo(tmp_path: Path) -> KernelRepo:
    return KernelRepo(Store(tmp_path / "store"))


def state(tree: Path) -> dict[str, tuple[int, int, str]]:
    """Mode, time stamp and content of everything in `tree`, `.git` too."""
    found = {}
    for path in [tree, *sorted(tree.rglob("*"))]:
        stat = path.lstat()
        if path.is_symlink():
            body = str(path.readlink()).encode()
        else:
            body = path.read_bytes() if path.is_file() else b""
        content = hashlib.sha256(body).hexdigest()
        found[str(path.relative_to(tree))] = (stat.st_mode, stat.st_mtime_ns, content)
    return found


def names(repo: KernelRepo, tree: Tree) -> set[str]:
    listed = repo._git(["ls-tree", "-r", "-z", "--name-only", tree.id], index=None)
    return {os.fsdecode(name) for name in listed.split(b"\0") if name}


def test_a_dirty_built_checkout_is_taken_as_it_is(checkout: Path, repo: KernelRepo) -> None:
    write(checkout, BUILT)
    (checkout / DRIVER).write_text("int dirty;\n")  # not committed
    (checkout / f"{PANTHOR}/panthor_new.c").write_text("int brand_new;\n")  # not even added
    (checkout / "scripts/basic/fixdep.c").unlink()
    (checkout / f"{PANTHOR}/panthor_fw.c").write_text("int staged;\n")
    git(checkout, "add", f"{PANTHOR}/panthor_fw.c")
    before = state(checkout)
    tree = repo.snapshot(checkout, "mine")
    assert state(checkout) == before
    assert names(repo, tree) == {
        *("Kconfig", "Makefile", ".gitignore", "kept.o", DRIVER),
        *(f"{PANTHOR}/panthor_fw.c", f"{PANTHOR}/panthor_new.c"),
    }
    assert repo.read(tree, DRIVER) == b"int dirty;\n"
    assert repo.read(tree, f"{PANTHOR}/panthor_fw.c") == b"int staged;\n"


def test_a_linked_worktree(checkout: Path, repo: KernelRepo, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(checkout, "worktree", "add", "-q", str(linked), "-b", "topic")
    before = state(linked), state(checkout)
    tree = repo.snapshot(linked, "linked")
    assert (state(linked), state(checkout)) == before
    assert tree.id == repo.snapshot(checkout, "main").id
    assert "kept.o" in names(repo, tree)


@pytest.mark.parametrize("ignores", ["", "/*\n!/debian/\n"])
def test_a_built_tarball_equals_the_pristine_one(
    tarball: Path, repo: KernelRepo, ignores: str
) -> None:
    """Debian's linux-source ignores its whole tree; and its products must not change the key."""
    with (tarball / ".gitignore").open("a") as file:
        file.write(ignores)
    pristine = repo.snapshot(tarball, "pristine")
    assert names(repo, pristine) == set(SOURCE)
    write(tarball, BUILT)
    before = state(tarball)
    assert repo.snapshot(tarball, "built").id == pristine.id
    assert state(tarball) == before


def test_odd_names_and_kinds(tarball: Path, repo: KernelRepo) -> None:
    odd = ["with space.c", "umläut.c", "line\nbreak.c", "-dash.c", "[x]*.c", "back\\slash.c", ":c"]
    for name in odd:
        (tarball / name).write_text(name)
    (tarball / "link").symlink_to("nowhere")
    os.mkfifo(tarball / "fifo")
    (tarball / "empty").mkdir()
    (tarball / "run.sh").write_text("#!/bin/sh\n")
    (tarball / "run.sh").chmod(0o755)
    write(tarball, {"scripts/[x]": "product", "scripts/.[x].cmd": "note", "scripts/x": "source"})
    before = state(tarball)
    tree = repo.snapshot(tarball, "odd")
    assert state(tarball) == before
    assert names(repo, tree) == {*SOURCE, *odd, "link", "run.sh", "scripts/x"}
    worktree = repo.checkout(tree)
    assert (worktree / "link").readlink() == Path("nowhere")
    assert os.access(worktree / "run.sh", os.X_OK)
    assert (worktree / "line\nbreak.c").read_text() == "line\nbreak.c"


def test_bytes_stay_bytes(
    checkout: Path, repo: KernelRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's git configuration nor the tree's attributes may touch a file."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[core]\nautocrlf = input\nexcludesFile = ~/ignore\n")
    (home / "ignore").write_text("*.c\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    (checkout / ".gitattributes").write_text("*.c text eol=lf ident\n")
    (checkout / DRIVER).write_bytes(b"int a; /* $Id$ */\r\n\r\n")
    tree = repo.snapshot(checkout, "crlf")
    assert repo.read(tree, DRIVER) == b"int a; /* $Id$ */\r\n\r\n"
    assert (repo.checkout(tree) / DRIVER).read_bytes() == b"int a; /* $Id$ */\r\n\r\n"


def test_a_read_only_tree(checkout: Path, repo: KernelRepo) -> None:
    for path in [*checkout.rglob("*"), checkout]:
        path.chmod(path.stat().st_mode & ~0o222)
    before = state(checkout)
    repo.snapshot(checkout, "read-only")
    assert state(checkout) == before
    for path in [checkout, *checkout.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def test_a_file_that_cannot_be_read(
    tarball: Path, repo: KernelRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root reads all; so git is made to complain."""
    fake = tarball.parent / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'error: open(\"x.c\"): Permission denied' >&2\nexit 128\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(RigError, match=r'x\.c"\): Permission denied') as caught:
        repo.snapshot(tarball, "x")
    assert caught.value.failure is FailureClass.USAGE


def test_a_full_disk_below_git(
    tarball: Path, repo: KernelRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tarball.parent / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'fatal: write error: No space left on device' >&2\nexit 128\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(RigError, match="no space left") as caught:
        repo.snapshot(tarball, "x")
    assert caught.value.failure is FailureClass.INFRA
    assert "rig cache gc" in caught.value.hint


def test_an_edit_of_the_same_size_is_seen(tarball: Path, repo: KernelRepo) -> None:
    first = repo.snapshot(tarball, "a")
    stat = (tarball / DRIVER).stat()
    (tarball / DRIVER).write_text("int one;\nint 2wo;\nint three;\n")
    os.utime(tarball / DRIVER, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert repo.snapshot(tarball, "b").id != first.id


def test_the_image_key_leaves_panthor_out(tarball: Path, repo: KernelRepo) -> None:
    first = repo.snapshot(tarball, "a")
    (tarball / DRIVER).write_text("int other;\n")
    second = repo.snapshot(tarball, "b")
    assert first.id != second.id
    assert repo.without(first, PANTHOR) == repo.without(second, PANTHOR)
    (tarball / "Makefile").write_text("none:\n")
    assert repo.without(repo.snapshot(tarball, "c"), PANTHOR) != repo.without(first, PANTHOR)


@pytest.mark.parametrize("beside", ["", "drivers/gpu/drm/msm.c", "drivers/x y"])
def test_a_state_without_a_folder_is_as_if_it_had_never_been(
    tarball: Path, repo: KernelRepo, beside: str
) -> None:
    """Nor the folders above it, where nothing else is in them."""
    if beside:
        (tarball / beside).write_text("beside\n")
    whole = repo.snapshot(tarball, "a")
    shutil.rmtree(tarball / PANTHOR)
    with repo._scratch_index(whole) as index:
        repo._run(["rm", "-r", "-q", "--cached", "--", PANTHOR], index=index)
        assert repo.without(whole, PANTHOR) == repo._run(["write-tree"], index=index)


def change(old: str, new: str, subject: str, file: str = DRIVER) -> Patch:
    diff = (
        f"\n--- a/{file}\n+++ b/{file}\n@@ -1,3 +1,3 @@\n int one;\n-{old}\n+{new}\n int three;\n"
    )
    return Patch(subject, diff.encode(), f"{subject}.patch")


def test_a_series_is_applied_state_by_state(tarball: Path, repo: KernelRepo) -> None:
    base = repo.snapshot(tarball, "base")
    before = state(tarball)
    patches = [change("int two;", "int 2;", "first"), change("int 2;", "int zwei;", "second")]
    states = repo.apply(base, patches, "v1")
    assert [s.label for s in states] == ["base + v1 1/2", "base + v1"]
    assert repo.read(states[0], DRIVER) == b"int one;\nint 2;\nint three;\n"
    assert repo.read(states[1], DRIVER) == b"int one;\nint zwei;\nint three;\n"
    assert state(tarball) == before


def test_a_refused_patch_is_named_with_file_and_line(tarball: Path, repo: KernelRepo) -> None:
    base = repo.snapshot(tarball, "base")
    patches = [change("int two;", "int 2;", "first"), change("int two;", "int 3;", "second")]
    with pytest.raises(RigError) as caught:
        repo.apply(base, patches, "v1")
    assert caught.value.failure is FailureClass.BUILD
    for word in ("v1: patch 2/2 (second)", "to base", f"{DRIVER}:1"):
        assert word in caught.value.message
    assert "second.patch" in caught.value.hint


def test_a_patch_of_a_file_that_is_not_there(tarball: Path, repo: KernelRepo) -> None:
    patch = change("int two;", "int 2;", "first", "drivers/gone.c")
    with pytest.raises(RigError, match=r"drivers/gone\.c: does not exist"):
        repo.apply(repo.snapshot(tarball, "base"), [patch], "v1")


def test_a_checkout_rewrites_only_what_differs(tarball: Path, repo: KernelRepo) -> None:
    base = repo.snapshot(tarball, "base")
    worktree = repo.checkout(base)
    for path in worktree.rglob("*.c"):
        os.utime(path, ns=(1, 1))
    repo._run(["update-index", "-q", "--refresh"], index=repo._root / "index-worktree",
              work_tree=worktree)  # fmt: skip
    (patched,) = repo.apply(base, [change("int two;", "int 2;", "first")], "v1")
    repo.checkout(patched)
    touched = {p.name for p in worktree.rglob("*.c") if p.stat().st_mtime_ns != 1}
    assert touched == {"panthor_drv.c"}
    assert (worktree / DRIVER).read_text() == "int one;\nint 2;\nint three;\n"


def test_a_worktree_that_somebody_changed_is_put_right(tarball: Path, repo: KernelRepo) -> None:
    base = repo.snapshot(tarball, "base")
    worktree = repo.checkout(base)
    (worktree / DRIVER).write_text("scribble\n")
    (worktree / "Makefile").unlink()
    repo.checkout(base)
    assert (worktree / DRIVER).read_text() == SOURCE[DRIVER]
    assert (worktree / "Makefile").exists()


def test_what_a_killed_rig_left_is_no_obstacle(
    tarball: Path, repo: KernelRepo, tmp_path: Path
) -> None:
    base = repo.snapshot(tarball, "base")
    worktree = repo.checkout(base)
    for index in repo._root.glob("index-*"):
        index.with_name(index.name + ".lock").touch()
    (worktree / "half-written.c").write_text("int of_another_state;\n")
    assert repo.snapshot(tarball, "again").id == base.id
    repo.checkout(base)
    assert not (worktree / "half-written.c").exists()
    (repo._git_dir / "objects" / "pack").rmdir()  # a first start that was cut off
    assert KernelRepo(Store(tmp_path / "store")).snapshot(tarball, "anew").id == base.id
