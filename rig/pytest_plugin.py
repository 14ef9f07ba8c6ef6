# SPDX-License-Identifier: MIT
"""pytest plugin of the rig (scenario markers, verdicts)."""
