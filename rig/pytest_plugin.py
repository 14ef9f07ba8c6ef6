# SPDX-License-Identifier: MIT
"""pytest entry point: declares the marker of the scenario decorator.

It imports nothing of the rig: pytest loads it at every start. What runs
scenarios is `rig.judge`, which `rig run` registers.
"""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "scenario(spec): a scenario of the rig's catalogue")
