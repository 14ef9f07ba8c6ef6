# SPDX-License-Identifier: MIT
"""The judge: a pytest plugin that gives scenarios their guest and makes verdicts of their ends."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from rig import bundle, interrupt, introspect
from rig.ahead import Ahead
from rig.catalogue import Entry, scenario_id
from rig.errors import FailureClass, RigError
from rig.paths import REPO
from rig.scenarios.kit import Scenario, Spec
from rig.session import Session
from rig.snapshots import opened
from rig.store import full_disk, no_space
from rig.testbed import TestBed
from rig.verdict.oracles import Complaint, complaints, explained, known_issues, no_leaks, token
from rig.verdict.verdict import Note, Outcome, Verdict, outcome_of

OnFailure = Callable[[Session, Verdict, BaseException], None]
"""Called while the guest of a failed scenario is still as the failure left it."""


class Judge:
    """One run: a test bed, a folder, and the verdicts as they come."""

    def __init__(self, bed: TestBed, run_dir: Path, on_failure: OnFailure | None = None) -> None:
        self.bed = bed
        self.run_dir = run_dir
        self._on_failure = on_failure
        self.verdicts: list[Verdict] = []
        self._interrupted = False
        self.collect_error = ""
        """Why pytest could not read a scenario's file."""
        self._stages: dict[str, float] = {}
        self._complaints: list[str] = []
        self._snapshot = ""

    @pytest.fixture
    def rig(self, request: pytest.FixtureRequest) -> Generator[Scenario]:
        """A guest for one scenario, at the stage that it starts from."""
        item = request.node
        self._complaints = []
        self._snapshot = ""
        self._stages = {}  # a guest that does not come up has none, not its predecessor's
        spec = _spec_of(item)
        self._require_applicable(spec)
        with opened(self.bed, self._folder(item), spec.config, spec.stage) as session:
            self._stages = session.timings
            self._snapshot = session.start.origin.name if session.start.origin else ""
            scenario = Scenario(session)
            bundle.save(session.run_dir / bundle.GUEST, self._guest(item, spec))
            yield scenario

    def _require_applicable(self, spec: Spec) -> None:
        detected = self.bed.contract
        if detected.contract.name not in spec.contracts:
            if isinstance(self.bed.ahead, Ahead):
                self.bed.ahead.close()
            raise RigError(
                FailureClass.NOT_APPLICABLE,
                f"needs the contract {' or '.join(spec.contracts)}; "
                f"the tree under test speaks {detected.contract.name} ({detected.why})",
            )

        if spec.debug and not self.bed.options.debug:
            raise RigError(
                FailureClass.NOT_APPLICABLE,
                "needs the debug kernel: `rig run --debug`",
            )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C: no verdict. (pytest.exit() comes here too, and must not look like one.)"""
        self._interrupted = isinstance(excinfo.value, KeyboardInterrupt)
        interrupt.taken()  # guests are taken down behind this

    def check_interrupted(self) -> None:
        """Raise `KeyboardInterrupt` when Ctrl-C ended the run: what was found is no verdict.

        It may have met a guest half started, whose end then looks like the rig's failure.
        """
        interrupt.check()
        if self._interrupted:
            raise KeyboardInterrupt

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported: keep the reason."""
        if report.failed:
            words = [line.strip() for line in report.longreprtext.splitlines() if line.strip()]
            told = [word.removeprefix("E").strip() for word in words if word.startswith("E ")]
            self.collect_error = f"cannot load {report.nodeid}: {(told or words or ['?'])[-1]}"

    def _folder(self, item: pytest.Item) -> Path:
        return self.run_dir / folder_of(_id_of(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Behind the scenario's own checks: the token and the oracles; then the verdict."""
        scenario = pyfuncitem.funcargs.get("rig")
        if scenario is None:
            raise RigError(FailureClass.INFRA, f"{pyfuncitem.name} has no guest: it takes no `rig`")
        started = time.monotonic()
        try:
            result = yield
            if isinstance(scenario, Scenario):
                no_leaks(scenario.session, scenario.shell)
                token(scenario.session, scenario.shell)
        except RigError as error:
            raise self._explained(error, scenario) from error
        finally:
            self._stages["scenario"] = time.monotonic() - started
            if isinstance(scenario, Scenario):
                scenario.session.anchor()
        if isinstance(scenario, Scenario):
            found = complaints(scenario.session, scenario.expected, scenario.denials)
            self._complaints = [complaint.sentence for complaint in found]
            _raise_first(found, scenario)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Collect verdicts; a scenario whose contract is not spoken is a skip with its reason."""
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if error is not None:  # a log that could not be written looks like a hang
            full = full_disk(error, self.run_dir) if isinstance(error, OSError) else None
            error = full or no_space(self.run_dir) or error
        if error is not None or call.when == "call":
            self._record(item, error, call.duration)
        if error is not None and call.when == "call":
            self._show(item, error)
        if _not_applicable(error):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"NOT_APPLICABLE: {error}")
        elif isinstance(error, RigError):
            report.longrepr = "\n".join(error.lines())
        return report

    def _record(self, item: pytest.Item, error: BaseException | None, seconds: float) -> None:
        name, folder = _id_of(item), self._folder(item)
        if error is None:
            outcome, failure, sentence = Outcome.PASS, None, ""
        elif isinstance(error, RigError):
            failure = error.failure
            outcome, sentence = outcome_of(failure), error.message
        else:  # a bug in the scenario or the rig: never a verdict on the driver
            failure, outcome = FailureClass.INFRA, Outcome.ERROR
            sentence = f"{type(error).__name__}: {error}"
        verdict = Verdict(
            name, outcome, sentence, failure, seconds, dict(self._stages),
            folder if folder.exists() else None, _notes_of(item),
            error.hint if isinstance(error, RigError) else "",
        )  # fmt: skip
        self.verdicts = [v for v in self.verdicts if v.scenario != name] + [verdict]
        self._keep_guest(item, verdict, error)

    def _show(self, item: pytest.Item, error: BaseException) -> None:
        """Keep the driver's state of a failed scenario, and let a person look at its guest."""
        scenario = getattr(item, "funcargs", {}).get("rig")
        if not isinstance(scenario, Scenario):
            return
        _inspect(scenario.session)
        if self._on_failure is not None:
            self._on_failure(scenario.session, self.verdicts[-1], error)

    def _explained(self, error: RigError, scenario: object) -> RigError:
        """A failed check together with what the logs and the device say."""
        if not isinstance(scenario, Scenario) or not scenario.session.vm.pid:
            return error
        found = complaints(scenario.session, scenario.expected, scenario.denials)
        self._complaints = [complaint.sentence for complaint in found]
        return explained(error, scenario.session, found)

    def _guest(self, item: pytest.Item, spec: Spec) -> bundle.Guest:
        config = spec.config
        return bundle.Guest(
            _id_of(item),
            str(item.path.relative_to(REPO)) if item.path.is_relative_to(REPO) else item.path.name,
            config.flavour,
            {**config.faults, **dict(self.bed.options.faults)},
            config.memory_mib,
            config.smp,
            stage=spec.stage,
            snapshot=self._snapshot,
            gpu=config.gpu,
        )

    def _keep_guest(self, item: pytest.Item, verdict: Verdict, error: BaseException | None) -> None:
        """guest.json once more, with the end."""
        if verdict.run_dir is None:
            return
        guest = self._guest(item, _spec_of(item))
        guest.outcome, guest.sentence = verdict.outcome.value, verdict.sentence
        guest.failure = verdict.failure.name if verdict.failure else None
        scenario = getattr(item, "funcargs", {}).get("rig")
        if isinstance(scenario, Scenario):
            guest.expected = list(scenario.expected)
        guest.complaints = self._complaints
        guest.where = _where(error, item.path)
        bundle.save(verdict.run_dir / bundle.GUEST, guest)


def _notes_of(item: pytest.Item) -> tuple[Note, ...]:
    scenario = getattr(item, "funcargs", {}).get("rig")
    if not isinstance(scenario, Scenario):
        return ()
    try:
        known = known_issues(scenario.session.gpu)
    except RigError:  # a damaged log is the verdict already
        known = ()
    return (*scenario.notes, *known)


def _inspect(session: Session) -> None:
    """inspect.txt: what drgn finds, or why it found nothing. Never a verdict."""
    if session.vm.pid is None or not introspect.available():
        return
    from rig.introspect import look  # noqa: PLC0415 - drgn is an extra, and takes 0.1 s

    try:
        look.keep(session)
    except RigError as error:
        (session.run_dir / introspect.NAME).write_text(f"{error.message}\n")


def _not_applicable(error: BaseException | None) -> bool:
    return isinstance(error, RigError) and error.failure is FailureClass.NOT_APPLICABLE


def folder_of(scenario: str) -> str:
    """Name of a guest's folder in that of its run."""
    return scenario.replace("/", ".")


def spec_of(entry: Entry) -> Spec | None:
    """What a scenario needs, once its file has been read for a run; None before."""
    module = sys.modules.get(f"rig.scenarios.{entry.file.stem}")
    marks = getattr(getattr(module, entry.function, None), "pytestmark", [])
    found = [mark.args[0] for mark in marks if mark.name == "scenario" and mark.args]
    return found[0] if found and isinstance(found[0], Spec) else None


def _spec_of(item: pytest.Item) -> Spec:
    marker = item.get_closest_marker("scenario")
    if marker is None:
        raise RigError(FailureClass.INFRA, f"{item.name} uses `rig` but is no @scenario")
    spec = marker.args[0]
    assert isinstance(spec, Spec)
    return spec


def _id_of(item: pytest.Item) -> str:
    return scenario_id(item.path, item.name)


def _raise_first(found: list[Complaint], scenario: Scenario) -> None:
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise RigError(
            found[0].failure, found[0].sentence + more, log=scenario.session.vm.spec.console_log
        )


def _where(error: BaseException | None, file: Path) -> list[str]:
    """The lines of the scenario's folder on the way to an error, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return [
        f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}"
        for frame in frames
        if Path(frame.filename).parent == file.parent
    ]
