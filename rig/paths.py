# SPDX-License-Identifier: MIT
"""Where the project's own files are: recipes read C sources, patches and fragments from here."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
