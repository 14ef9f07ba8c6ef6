# SPDX-License-Identifier: MIT
"""The short way to panthor.ko and kbuild's own: the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.artifacts.kernel import KernelBuild, ModulesRecipe
from rig.artifacts.recipe import Builder, Job
from rig.bench.history import Branch
from rig.kernel.repo import PANTHOR, KernelRepo
from rig.store import Store
from rig.ui import Reporter
from tests.nightly.planted import begin

EDITS = {
    "code": '\nvoid rig_planted(void);\nvoid rig_planted(void) { pr_info("planted"); }\n',
    "modpost": '\nMODULE_DEVICE_TABLE(of, dt_match);\nMODULE_SOFTDEP("pre: planted");\n',
}
"""Of panthor_drv.c: an object, and what modpost reads of it."""


@pytest.mark.parametrize("edit", EDITS)
def test_the_same_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str) -> None:
    branch = begin(tmp_path / "linux")
    branch.edit("panthor_drv.c", lambda text: text + EDITS[edit])
    branch.commit(edit)
    built(branch, 0, tmp_path / "first")  # the Image's first module proves the way
    by_rig, log = built(branch, 1, tmp_path / "by-rig")
    assert f"  CC [M]  {PANTHOR}/panthor_drv.o\n" in log
    assert "$ make" not in log
    monkeypatch.setattr(KernelBuild, "_proof", lambda _build: "differs")
    before, _ = built(branch, 0, tmp_path / "before")
    by_kbuild, log = built(branch, 1, tmp_path / "by-kbuild")
    assert "$ make" in log
    assert before != by_kbuild
    assert by_rig == by_kbuild


def built(branch: Branch, number: int, out: Path) -> tuple[bytes, str]:
    """panthor.ko of a commit, and the log of its build; nothing goes to the store."""
    builder = Builder(Store(), Reporter())
    repo = KernelRepo(builder.store, borrow=branch.path / ".git" / "objects")
    recipe = ModulesRecipe(repo, branch.tree(number))
    builder.get(recipe.helper())
    out.mkdir()
    log = out.with_suffix(".log")
    recipe.build(Job(recipe, builder, "0" * 20, out, log))
    return (out / "panthor.ko").read_bytes(), log.read_text()
