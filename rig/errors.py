# SPDX-License-Identifier: MIT
"""Failure classes, their exit codes, and the exceptions that carry them.

Every error that a user can meet is a `RigError`: one line that says what is
wrong, one that says what to do next, the class that decides the exit code, and
the log that proves it. Nothing else may end a command.
"""

from __future__ import annotations

import enum
from pathlib import Path


class FailureClass(enum.Enum):
    """What kind of failure ended a stage; the value is the process's exit code.

    1 is a verdict on the code under test; 125 says that this commit cannot be
    judged (`git bisect run` skips it); 128 and above say that the rig itself
    failed (`git bisect run` stops). docs/exit-codes.md is generated from this.
    """

    ASSERT = ("ASSERT", 1, "a scenario's check failed")
    PROBE = ("PROBE", 1, "the driver did not probe, or probed when it must not")
    OOPS = ("OOPS", 1, "the kernel log has an oops, a warning or a sanitizer report")
    HANG = ("HANG", 1, "the guest stopped making progress")
    TEE_PANIC = ("TEE_PANIC", 1, "the secure world panicked")
    MODEL_VIOLATION = ("MODEL_VIOLATION", 1, "the device saw its contract broken")
    FLAKE = ("FLAKE", 1, "runs of the same content disagree (`rig run --repeat`)")
    NOT_APPLICABLE = ("NOT_APPLICABLE", 125, "the tree under test does not speak the contract")
    BUILD = ("BUILD", 125, "something under test does not build")
    CONFIG = ("CONFIG", 125, "a required kernel option did not survive")
    DT = ("DT", 125, "the device tree is refused")
    BOOT = ("BOOT", 125, "the kernel under test does not reach user space")
    INFRA = ("INFRA", 128, "the rig or its machine failed")
    USAGE = ("USAGE", 129, "the command line, a path or a configuration key is wrong")
    INTERRUPTED = ("INTERRUPTED", 130, "Ctrl-C")
    FIRMWARE = ("FIRMWARE", 131, "TF-A, OP-TEE or BL33 did not reach the kernel")
    LOST = ("LOST", 132, "the guest or its QEMU vanished without a verdict")

    def __init__(self, label: str, exit_code: int, meaning: str) -> None:
        self.label = label
        self.exit_code = exit_code
        self.meaning = meaning


class RigError(Exception):
    """One line for the user, its class, the next step, and the log that proves it."""

    def __init__(
        self,
        failure: FailureClass,
        message: str,
        *,
        hint: str = "",
        log: Path | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.hint = hint
        self.log = log

    def lines(self) -> list[str]:
        """What a command prints on stderr: at most three lines."""
        out = [f"rig: {self.failure.label}: {self.message}"]
        if self.hint:
            out.append(f"  next: {self.hint}")
        if self.log is not None:
            out.append(f"  log:  {self.log}")
        return out


def usage(message: str, hint: str = "") -> RigError:
    """A wrong path, name, key or option given by the user."""
    return RigError(FailureClass.USAGE, message, hint=hint)


def infra(message: str, hint: str = "", log: Path | None = None) -> RigError:
    """The rig's own machine or tools failed."""
    return RigError(FailureClass.INFRA, message, hint=hint, log=log)


def exit_code_page() -> str:
    """docs/exit-codes.md."""
    rows = [f"| {kind.exit_code} | {kind.label} | {kind.meaning} |" for kind in FailureClass]
    return "\n".join(
        [
            "<!-- SPDX-License-Identifier: MIT -->",
            "<!-- made by `python -m rig.errors`; do not edit -->",
            "# Exit codes and failure classes",
            "",
            "1 is a verdict on the code under test. 125 tells `git bisect run` to skip the commit.",
            "128 and above stop it: the rig itself failed, and no commit is to blame.",
            "",
            "| code | class | meaning |",
            "|---|---|---|",
            "| 0 | PASS | every scenario that was judged passed, and at least one was |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    print(exit_code_page(), end="")
