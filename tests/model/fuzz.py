# SPDX-License-Identifier: MIT
"""`make fuzz`: each target of qemu_models/core/fuzz under libFuzzer, ASan and UBSan.

    python -m tests.model.fuzz [--seconds 60] [--keep] [TARGET ...]

Starts from the kept inputs (corpus/TARGET.hex, one a line). A finding ends the command with 1
and the name of the input; `--keep` writes the smallest set of inputs that reaches all that has
been reached back into the repository. The folder of a target stays, so that the next run goes on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import doctor
from rig.errors import FailureClass, RigError, infra
from tests.model.native import CORE, MakeError, made

CORPUS = CORE / "fuzz" / "corpus"
TARGETS = tuple(sorted(f.stem.removeprefix("fuzz_") for f in (CORE / "fuzz").glob("fuzz_*.c")))
MAX_LEN = 2048
"""Bytes of an input."""
HEAD = "# SPDX-License-Identifier: MIT\n# Kept inputs of the fuzz target, one a line in hex.\n"


def kept(target: str) -> list[bytes]:
    """The inputs of the repository."""
    text = (CORPUS / f"{target}.hex").read_text()
    return [bytes.fromhex(line) for line in text.splitlines() if not line.startswith("#")]


def keep(target: str, inputs: Sequence[bytes]) -> None:
    CORPUS.mkdir(exist_ok=True)
    lines = "".join(f"{data.hex()}\n" for data in sorted(inputs, key=lambda d: (len(d), d)))
    (CORPUS / f"{target}.hex").write_text(HEAD + lines)


@dataclass(frozen=True)
class Result:
    """One target's run."""

    target: str
    executions: int
    finding: str
    """What libFuzzer said of the finding, empty if there is none."""


class Fuzzer:
    """A target's program and its folder of inputs."""

    def __init__(self, target: str, objects: Path) -> None:
        self.target = target
        self._program = objects / f"fuzz-{target}"
        self._inputs = objects / "inputs" / target
        self._inputs.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(kept(target)):
            (self._inputs / f"kept-{number}").write_bytes(data)

    def run(self, seconds: int) -> Result:
        log = self._say(f"-max_total_time={seconds}", "-print_final_stats=1", str(self._inputs))
        done = re.search(r"stat::number_of_executed_units:\s+(\d+)", log)
        found = re.findall(r"^(?:fuzz: .*|SUMMARY: .*|.*Test unit written to .*)$", log, re.M)
        if not done and not found:
            raise infra(f"fuzz-{self.target} did not run: {log.strip()[-300:]}", "rig doctor")
        return Result(self.target, int(done[1]) if done else 0, "\n".join(found))

    def smallest(self) -> list[bytes]:
        """The smallest inputs that reach what all of them reach."""
        merged = self._inputs.with_name(f"{self.target}.merged")
        merged.mkdir(exist_ok=True)
        for old in merged.iterdir():
            old.unlink()
        self._say("-merge=1", str(merged), str(self._inputs))
        return [file.read_bytes() for file in merged.iterdir()]

    def _say(self, *arguments: str) -> str:
        findings = self._inputs.with_name(f"{self.target}.finding-")
        argv = [str(self._program), f"-max_len={MAX_LEN}", "-timeout=20",
                f"-artifact_prefix={findings}", *arguments]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        return done.stderr


def fuzz(targets: Sequence[str], seconds: int, write_back: bool) -> bool:
    """Run the targets; whether any has a finding. Raises `RigError` (INFRA)."""
    if lacking := doctor.missing(doctor.FUZZ):
        raise infra("clang with libFuzzer is missing", doctor.apt_command(lacking))
    found = False
    with made("fuzz") as objects:
        for target in targets:
            fuzzer = Fuzzer(target, objects)
            result = fuzzer.run(seconds)
            print(f"{target:12} {result.executions:10,} executions  {result.finding or 'clean'}")
            found |= bool(result.finding)
            if write_back and not result.finding:
                keep(target, fuzzer.smallest())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the model's core.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="of each target (60)")
    parser.add_argument("--keep", action="store_true", help="write the inputs back")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
    try:
        return int(fuzz(options.targets or TARGETS, options.seconds, options.keep))
    except MakeError as exc:
        print(exc, file=sys.stderr)
        return FailureClass.INFRA.exit_code
    except RigError as exc:
        print("\n".join(exc.lines()), file=sys.stderr)
        return exc.failure.exit_code


if __name__ == "__main__":
    sys.exit(main())
