# SPDX-License-Identifier: MIT
"""Pages that are made from the code say what the code says; every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.errors import FailureClass, exit_code_page
from rig.paths import REPO

PAGES = sorted(
    [
        REPO / "README.md",
        *(REPO / "docs").glob("*.md"),
        *(p for part in ("kernel_config", "guest", "tests") for p in (REPO / part).rglob("*.md")),
    ]
)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAMED = re.compile(r"(?<![\w/.])docs/[\w-]+\.md(?:#[\w-]+)?")
"""How messages, comments and other pages speak of a page."""


def anchors(text: str) -> set[str]:
    """What GitHub and cgit make of the headings: lower case, spaces as hyphens, words only."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def broken(page: Path, target: str) -> bool:
    """Whether a link on a page leads nowhere. The network is not asked."""
    if "://" in target or target.startswith("mailto:"):
        return False
    path, _, anchor = target.partition("#")
    file = (page.parent / path) if path else page
    if not file.exists():
        return True
    return bool(anchor) and anchor not in anchors(file.read_text())


def test_exit_code_page_is_current() -> None:
    page = (REPO / "docs" / "exit-codes.md").read_text()
    assert page == exit_code_page(), "run: python -m rig.errors > docs/exit-codes.md"


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("here.md", False),
        ("there.md", True),
        ("#a-b--c", False),
        ("#a-b-c", True),
        ("here.md#twice-1", False),
        ("here.md#twice-2", True),
        ("here.md#in-a-fence", True),
        ("https://example.org/x", False),
    ],
)
def test_the_judge_of_links(tmp_path: Path, target: str, wrong: bool) -> None:
    page = tmp_path / "here.md"
    page.write_text("# A b — c\n## Twice\n## `Twice`\n```\n# in a fence\n```\n")
    assert broken(page, target) == wrong


def test_no_link_is_broken() -> None:
    links = [
        (str(page.relative_to(REPO)), target)
        for page in PAGES
        for target in LINK.findall(FENCE.sub("", page.read_text()))
    ]
    assert len(links) > 20
    assert [link for link in links if broken(REPO / link[0], link[1])] == []


def test_pages_that_are_named_anywhere_exist() -> None:
    sources = [p for p in (REPO / "rig").rglob("*") if p.suffix in (".py", ".j2", ".toml")]
    sources += [REPO / "Makefile", *PAGES]
    found = {
        (str(path.relative_to(REPO)), name)
        for path in sources
        for name in NAMED.findall(path.read_text())
    }
    assert len(found) > 10
    assert [(where, name) for where, name in found if broken(REPO / "README.md", name)] == []


def test_every_page_can_be_found_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [REPO / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in LINK.findall(FENCE.sub("", page.read_text())):
            path = target.partition("#")[0]
            if path and "://" not in path:
                waiting.append(page.parent / path)
    assert [p.name for p in PAGES if p.parent.name == "docs" and p.resolve() not in seen] == []


def test_troubleshooting_has_each_class_once_in_the_tables_order() -> None:
    text = (REPO / "docs" / "troubleshooting.md").read_text()
    found = re.findall(r"^## (\w+): (.+) \((\d+)\)$", text, re.MULTILINE)
    assert found == [(kind.label, kind.meaning, str(kind.exit_code)) for kind in FailureClass]
    for part in text.split("\n## ")[1:]:
        assert "`" in part, f"nothing to type in {part.splitlines()[0]}"


def test_the_architecture_names_every_part_of_the_rig() -> None:
    table = (REPO / "docs" / "architecture.md").read_text()
    parts = {
        path.name + "/" * path.is_dir()
        for path in (REPO / "rig").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"__init__.py"}
    assert len(parts) > 30
    assert [part for part in sorted(parts) if f"`rig/{part}`" not in table] == []
    named = re.findall(r"`rig/([\w/]+?(?:\.py|/))`", table)
    assert [part for part in named if not (REPO / "rig" / part).exists()] == []
