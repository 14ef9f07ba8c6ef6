# SPDX-License-Identifier: MIT
"""What messages and pages tell people to type exists: commands, their options, their words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rig.cli.main import cli
from rig.paths import REPO

SOURCES = sorted((REPO / "rig").rglob("*.py"))
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
ERRORS = {"infra", "usage", "RigError"}
FOREIGN = {"--no-install-recommends", "--args", "--help"}
"""Options in messages that are other programs': apt-get, gdb; and click's own."""
_CALL = re.compile(r"`(?:[^`\s]*/)?rig ([^`]+)`")
_LINE = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?rig (.+)$", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def texts_of(path: Path) -> Iterator[str]:
    """Every string of a module, docstrings included; what is filled in later is a `…`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            yield _text(node)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _text(part) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def wrong(call: str) -> str:
    """What of `rig CALL` does not exist, or nothing."""
    command: click.Command = cli
    context = click.Context(cli)
    chosen: list[list[str]] = []  # words that the command's argument may be
    for raw in call.split():
        word = raw.strip("[](),.;:")
        if not word or "…" in word or word.upper() == word:
            continue
        if (option := _OPTION.match(word)) is not None:
            if option[0] not in {name for p in command.get_params(context) for name in p.opts}:
                return option[0]
        elif isinstance(command, click.Group):
            found = [command.get_command(context, name) for name in word.split("|")]
            if None in found:
                return word
            (command,) = found[:1]  # type: ignore[assignment]
            chosen = [
                [str(choice) for choice in p.type.choices]
                for p in command.params
                if isinstance(p, click.Argument) and isinstance(p.type, click.Choice)
            ]
        elif chosen and word not in chosen[0] and not raw.startswith("-"):
            return word
    return ""


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("run --kernel TREE probe-defer", ""),
        ("cache ls|gc", ""),
        ("gdb-of-nobody --qemu", "gdb-of-nobody"),
        ("cs disassemble", "disassemble"),
        ("run --kernle TREE", "--kernle"),
        ("build rootfs", ""),
        ("build roof", "roof"),
    ],
)
def test_the_judge_of_words(call: str, what: str) -> None:
    assert wrong(call) == what


def test_commands_that_are_named_exist() -> None:
    found = [
        (str(path.relative_to(REPO)), call, what)
        for path in (*SOURCES, *PAGES)
        for call in calls_of(path)
        if (what := wrong(call))
    ]
    assert found == []


def calls_of(path: Path) -> Iterator[str]:
    """What stands behind `rig` wherever the file tells somebody to type it."""
    texts = list(texts_of(path)) if path.suffix == ".py" else [path.read_text()]
    for text in texts:
        yield from (" ".join(match[1].split()) for match in _CALL.finditer(text))
    if path.suffix == ".md":
        yield from (match[1].partition("#")[0] for match in _LINE.finditer(texts[0]))


def test_options_in_errors_exist() -> None:
    known = FOREIGN | {
        name for command in _commands(cli) for p in command.params for name in p.opts
    }
    found = {
        option
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS
        for inner in ast.walk(node)
        if isinstance(inner, ast.JoinedStr | ast.Constant)
        for option in _OPTION.findall(_text(inner))
    }
    assert found - known == set()


def _commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from _commands(command)
