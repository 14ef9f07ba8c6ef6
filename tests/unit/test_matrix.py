# SPDX-License-Identifier: MIT
"""A matrix of jobs: what travels, what is lost and given again, and what comes of it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rig import bundle, remote, tested
from rig.catalogue import entries
from rig.errors import FailureClass, RigError
from rig.matrix import ATTEMPTS, Axes, Cell, Found, cells, judge
from rig.options import SERIES, Options
from rig.remote import Job, Origin, Result, fetch, work
from rig.store import Store
from rig.verdict.verdict import Outcome

AXES = Axes(["base", "heap-name"], ["g610", "g510", "g715"], ["direct", "secure"], [None], 2)
SCENARIOS = ["family/one", "family/two"]
LOST = Result(failure=FailureClass.LOST.name, sentence="it was killed")


def test_every_combination_once() -> None:
    found = cells(AXES)
    assert len(found) == len({cell.name for cell in found}) == 2 * 3 * 2 * 2
    assert found[0].name == "base.g610.direct.1"


def test_a_cell_chooses_patches_gpu_and_tree() -> None:
    common = Options(cold=True)
    base = Cell("base", "g510", "direct", None, 1).options(common)
    assert (base.series, base.gpu, base.cold) == ((), "g510", True)
    cell = Cell("heap-name", "g610", "secure", Path("/src/linux"), 2)
    assert cell.options(common).series == (SERIES / "heap-name",)
    assert cell.options(common).kernel == Path("/src/linux")
    assert cell.name == "linux.heap-name.g610.secure.2"


def test_scenarios_know_how_their_guest_boots() -> None:
    flavours = {entry.id: entry.flavour for entry in entries()}
    assert flavours["driver/reload"] == "direct"
    assert flavours["probe-defer/heap-late"] == "secure"


def job(name: str) -> Job:
    inputs = tested.Inputs(
        "rig", "tree", "label", "heap-name", "", "", [], "g610", {}, False, {}, []
    )
    return Job(name, inputs, SCENARIOS, "http://127.0.0.1:1/secret")


def passed(folder: Path, *outcomes: str) -> Result:
    """As a worker answers: rows, and a run folder."""
    (folder / "heard.log").write_text("the guest said hello\n")
    with tarfile.open(folder / "logs.tar", "w:gz") as tar:
        tar.add(folder / "heard.log", "family.one/console.log")
    rows = [
        bundle.Row(name, outcome, "why", "ASSERT" if outcome == "FAIL" else None, 1.0, {},
                   "family.one")
        for name, outcome in zip(SCENARIOS, outcomes, strict=False)
    ]  # fmt: skip
    return Result(rows, (folder / "logs.tar").read_bytes(), worker="here:1")


class Scripted(Executor):
    """Answers each job with the next of its results; an exception is the engine's."""

    def __init__(self, script: dict[str, list[Result | Exception]]) -> None:
        self.script = {name: iter(results) for name, results in script.items()}
        self.given: list[str] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_kwargs: Any) -> Future[Any]:
        assert fn is work
        name = msgspec.msgpack.decode(args[0], type=Job).name
        self.given.append(name)
        answer: Future[Any] = Future()
        result = next(self.script[name])
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(msgspec.msgpack.encode(result))
        return answer


def run(folder: Path, *results: Result | Exception) -> tuple[Found, Scripted]:
    cell = Cell("heap-name", "g610", "direct", None, 1)
    executor = Scripted({cell.name: list(results)})
    (folder / "run").mkdir()
    told: list[Found] = []
    (found,) = judge([(cell, job(cell.name))], executor, folder / "run", told.append)
    assert told == [found]
    return found, executor


def test_what_a_worker_found_is_unpacked_and_told(tmp_path: Path) -> None:
    found, _ = run(tmp_path, passed(tmp_path, "PASS", "FAIL"))
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.PASS, Outcome.FAIL]
    assert found.verdicts[0].run_dir is not None
    assert (found.verdicts[0].run_dir / "console.log").read_text() == "the guest said hello\n"


def test_a_lost_job_is_given_again(tmp_path: Path) -> None:
    found, executor = run(
        tmp_path, LOST, RuntimeError("KilledWorker"), passed(tmp_path, *["PASS"] * 2)
    )
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.PASS] * 2
    assert len(executor.given) == found.attempts == ATTEMPTS


def test_a_job_that_is_always_lost_is_an_error(tmp_path: Path) -> None:
    found, executor = run(tmp_path, *[LOST] * (ATTEMPTS + 1))
    assert len(executor.given) == ATTEMPTS
    assert [verdict.exit_code for verdict in found.verdicts] == [FailureClass.LOST.exit_code] * 2


def test_what_a_worker_refuses_is_not_given_again(tmp_path: Path) -> None:
    found, executor = run(tmp_path, Result(failure="INFRA", sentence="another rig", hint="update"))
    assert len(executor.given) == 1
    assert {(v.outcome, v.sentence) for v in found.verdicts} == {(Outcome.ERROR, "another rig")}


def test_an_answer_without_all_scenarios_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="answered for other scenarios"):
        run(tmp_path, passed(tmp_path, "PASS"))


KEY = "0123456789abcdef0123"


@pytest.fixture
def ours(tmp_path: Path) -> Store:
    """A store with one artifact: a file, a link and a folder."""
    store = Store(tmp_path / "ours")
    with store.publishing("image", KEY, {"tree": "a"}) as out:
        (out / "Image").write_bytes(b"\0" * 100_000 + b"end")
        (out / "link").symlink_to("Image")
        (out / "modules").mkdir()
        (out / "modules" / "a.ko").write_text("a")
    return store


@pytest.fixture
def origin(ours: Store) -> Iterator[Origin]:
    with Origin(ours) as serving:
        yield serving


def test_an_artifact_travels_by_its_key(ours: Store, origin: Origin, tmp_path: Path) -> None:
    theirs = Store(tmp_path / "theirs")
    for _ in range(2):  # the second time it is there
        fetch(theirs, "image", KEY, origin.url)
    found, had = theirs.find("image", KEY), ours.find("image", KEY)
    assert found is not None
    assert had is not None
    assert found.inputs == had.inputs
    assert (found.path / "link").read_bytes() == (had.path / "Image").read_bytes()
    assert (found.path / "modules" / "a.ko").read_text() == "a"


@pytest.mark.parametrize(
    ("name", "key", "break_secret"),
    [
        ("image", "f" * 20, False),
        ("image", KEY, True),
        ("..", "image", False),
    ],
)
def test_only_artifacts_are_given_and_only_to_workers(
    origin: Origin, tmp_path: Path, name: str, key: str, break_secret: bool
) -> None:
    url = origin.url + ("x" if break_secret else "")
    with pytest.raises(RigError, match="404") as caught:
        remote._download(f"{url}/{name}/{key}", tmp_path / "file")
    assert caught.value.failure is FailureClass.INFRA


def test_a_damaged_artifact_is_not_taken(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Store(tmp_path / "theirs")
    monkeypatch.setattr(remote, "_download", lambda _url, file: file.write_text("half") and "0")
    with pytest.raises(RigError, match="did not come whole"):
        fetch(theirs, "image", KEY, origin.url)
    assert theirs.find("image", KEY) is None


def test_a_process_that_ends_without_a_result_is_lost() -> None:
    result = msgspec.msgpack.decode(work(b"no job"), type=Result)
    assert result.failure == FailureClass.LOST.name
    assert "the worker's process ended" in result.sentence
