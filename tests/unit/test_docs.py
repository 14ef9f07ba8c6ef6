# SPDX-License-Identifier: MIT
"""Pages that are made from the code say what the code says."""

from __future__ import annotations

from rig.errors import exit_code_page
from rig.paths import REPO


def test_exit_code_page_is_current() -> None:
    page = (REPO / "docs" / "exit-codes.md").read_text()
    assert page == exit_code_page(), "run: python -m rig.errors > docs/exit-codes.md"


def test_readme_links_exist() -> None:
    readme = (REPO / "README.md").read_text()
    targets = [part.split(")")[0] for part in readme.split("](")[1:]]
    assert targets
    assert [t for t in targets if "://" not in t and not (REPO / t).exists()] == []
