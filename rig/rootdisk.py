# SPDX-License-Identifier: MIT
"""A guest whose root is a disk: what its boot needs beyond that of others."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress

from rig.deadlines import COMMAND_S, scaled
from rig.errors import RigError
from rig.guest.agent import Agent
from rig.testbed import Root

HOOK = "/etc/rig/disk"
"""Where guest/init looks for what makes a disk the root."""


def files(root: Root | None) -> dict[str, bytes]:
    """What the initramfs holds for it: guest path to content."""
    return {HOOK: root.hook.encode()} if root else {}


def adopt(root: Root, agent: Agent, stack: ExitStack) -> None:
    """The time of day, by which apt judges signatures; at the end all of a disk that stays."""
    agent.run(["date", "--set", f"@{int(time.time())}"], timeout=scaled(COMMAND_S))
    if root.disk.keep:
        stack.callback(_sync, agent)


def _sync(agent: Agent) -> None:
    """As far as the guest still answers."""
    with suppress(RigError):
        agent.run(["sync"], timeout=scaled(COMMAND_S))
