# SPDX-License-Identifier: MIT
"""Recipes and the builder that runs them.

A recipe names its inputs as strings (content hashes, versions, options); the
builder hashes them to a key, looks the key up in the store and builds only what
is not there. A recipe that needs another artifact asks the builder for it, in
`inputs()` (its key becomes part of the key) or in `build()`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from rig import cache
from rig.artifacts.leash import Leashed
from rig.artifacts.sources import Sources
from rig.environment import build_environment
from rig.errors import FailureClass, RigError
from rig.store import GIB, Artifact, Store, full_disk_words, key_of
from rig.ui import Reporter

TAIL_LINES = 12
_STEP = re.compile(rb"^\[(\d+)/(\d+)\]")


class Recipe(ABC):
    """How to make one kind of artifact."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raise it whenever `build()` changes what it makes."""
    failure: ClassVar[FailureClass] = FailureClass.INFRA
    """Class of a failing build: BUILD for what is under test, INFRA for the rig's own parts."""

    @abstractmethod
    def inputs(self, builder: Builder) -> Mapping[str, str]:
        """Everything that decides the content, as strings."""

    @abstractmethod
    def build(self, job: Job) -> None:
        """Fill `job.out`. Raise `RigError` (or let `job.run` do it) on failure."""


@dataclass
class Job:
    """One running build."""

    recipe: Recipe
    builder: Builder
    key: str
    out: Path
    """Fill this folder; it becomes the artifact."""
    log: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Persistent scratch folder of the recipe, kept between builds."""
        return self.builder.store.work(self.recipe.name)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        what: str = "",
        failure: FailureClass | None = None,
        hint: str = "",
        steps: int = 0,
    ) -> None:
        """Run a tool, its output in the log; the last lines go into the error.

        It sees `rig.environment.build_environment()`, `self.env` and `env` on top of it.

        `steps` is the expected number of output lines (for the progress bar)
        of tools that do not print ninja's ``[n/m]``.
        """
        command = [str(a) for a in argv]
        title = what or Path(command[0]).name
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            try:
                leashed = Leashed(command, cwd, {**build_environment(), **self.env, **(env or {})})
            except FileNotFoundError as exc:
                raise RigError(
                    FailureClass.INFRA,
                    f"{command[0]} is not installed",
                    hint="`rig doctor` prints the one apt command that is missing",
                ) from exc
            with leashed as child:
                tail = self._follow(child, log.write, title, steps)
        if child.returncode != 0:
            raise full_disk_words("\n".join(tail), self.builder.store.root) or RigError(
                failure or self.recipe.failure,
                f"{self.recipe.name}: {title} failed: {_reason(tail)}",
                hint=hint,
                log=self.log,
            )

    def _follow(
        self,
        child: subprocess.Popen[bytes],
        write: Callable[[bytes], int],
        title: str,
        steps: int,
    ) -> list[str]:
        assert child.stdout is not None
        tail: list[str] = []
        for count, line in enumerate(child.stdout, 1):
            write(line)
            match = _STEP.match(line)
            if match:
                self.builder.ui.progress(title, int(match[1]), int(match[2]))
            elif steps:
                self.builder.ui.progress(title, min(count, steps), steps)
            tail.append(line.decode(errors="replace").rstrip())
            del tail[: -TAIL_LINES * 4]
        return tail


def _reason(tail: Sequence[str]) -> str:
    """The first line that names an error, else the last line with text."""
    for line in tail:
        if re.search(r"\berror\b|\*\*\*|FAILED|not found|No such", line, re.IGNORECASE):
            return line.strip()
    return next((line.strip() for line in reversed(tail) if line.strip()), "no output")


class Builder:
    """Gets artifacts: from the store, or by building them."""

    def __init__(self, store: Store, ui: Reporter, *, refresh: bool = False) -> None:
        self.store = store
        self.ui = ui
        self.sources = Sources(store, ui, refresh=refresh)
        self._done: dict[str, Artifact] = {}

    def get(self, recipe: Recipe) -> Artifact:
        """The artifact of `recipe` for its inputs as they are now."""
        inputs = {"recipe": f"{recipe.name}/{recipe.version}", **recipe.inputs(self)}
        key = key_of(inputs)
        memo = f"{recipe.name}/{key}"
        if memo in self._done:
            return self._done[memo]
        artifact = self._held(recipe, key)
        if artifact is None:
            artifact = self._build(recipe, key, inputs)
            self._make_room()
        else:
            self.ui.reused(recipe.name, artifact)
        self._done[memo] = artifact
        return artifact

    def _held(self, recipe: Recipe, key: str) -> Artifact | None:
        """The artifact if it is there; nobody makes room with it from now on."""
        artifact = self.store.find(recipe.name, key)
        return artifact if artifact is not None and self.store.hold(artifact) else None

    def _make_room(self) -> None:
        """The bound on the cache, enforced where it grows."""
        gone = list(cache.make_room(self.store))
        if gone:
            freed = sum(size for _item, size in gone) / GIB
            self.ui.say(
                f"  made room in the cache: {len(gone)} old artifacts and runs, {freed:.1f} GiB "
                f"(bound: {cache.bound():g} GiB, {cache.VARIABLE})"
            )

    def _build(self, recipe: Recipe, key: str, inputs: Mapping[str, str]) -> Artifact:
        wait = f"rig: another rig builds {recipe.name}; waiting for it"
        with self.store.lock(recipe.name, on_wait=wait):
            artifact = self._held(recipe, key)
            if artifact is not None:  # the other rig built just this
                return artifact
            log = self.store.root / "logs" / f"{recipe.name}-{key}.log"
            log.unlink(missing_ok=True)
            started = time.monotonic()
            with (
                self.ui.building(recipe.name, log),
                self.store.publishing(recipe.name, key, inputs) as out,
            ):
                recipe.build(Job(recipe, self, key, out, log))
            artifact = self._held(recipe, key)
            assert artifact is not None
            self.ui.built(recipe.name, artifact, time.monotonic() - started)
            return artifact


def tool_output(*argv: str) -> str:
    """What a tool says of itself, asked as builds ask it. Raises `RigError` when it is missing."""
    try:
        done = subprocess.run(
            argv, env=build_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as exc:
        raise RigError(
            FailureClass.INFRA,
            f"{argv[0]} is not installed",
            hint="`rig doctor` prints the one apt command that is missing",
        ) from exc
    return done.stdout or done.stderr


def tool_version(*argv: str) -> str:
    """First line that a tool prints of its own version; an input of every compile."""
    return tool_output(*argv).splitlines()[0].strip()


def libraries_digest(compiler: str, names: Sequence[str]) -> str:
    """SHA-256 over the libraries as `compiler` finds them: what it links is an input too.

    A library that is not there counts as such; the compile will say so.
    """
    digest = hashlib.sha256()
    for name in names:
        path = Path(tool_output(compiler, f"-print-file-name={name}").strip())
        content = path.read_bytes() if path.is_absolute() and path.is_file() else b"absent"
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
