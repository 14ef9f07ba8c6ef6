# SPDX-License-Identifier: MIT
"""The catalogue: one pytest file a family, written against `rig.scenarios.kit`."""
