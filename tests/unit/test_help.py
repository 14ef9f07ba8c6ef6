# SPDX-License-Identifier: MIT
"""`--help` answers what a person asks: every option has a sentence, its default and its unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from rig.cli.main import _run, cli
from rig.errors import FailureClass

NUMBERS = re.compile(
    r"\b(GiB|guests|times|samples|runs|sequence number|major architecture|address space)\b",
    re.IGNORECASE,
)
"""A number is a number of something."""
CODES = {1: "1 fail", 125: "125", 128: "128"}
JUDGES = ("run", "series", "verdict")


def commands(group: click.Group, path: str = "rig") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(cli))
OPTIONS = [
    (f"{path} {option.opts[0]}", option)
    for path, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option)
]


def lacks(option: click.Option) -> str:
    """What the help of an option does not say."""
    text = option.help or ""
    if not re.match(r"[A-Z`\"g].*[.:]$", text, re.DOTALL):
        return "a sentence"
    if option.is_flag:
        return ""
    told = option.show_default or "default" in text.lower()
    if not (told or option.required or option.multiple):
        return "its default"
    if option.multiple and "repeatable" not in text and "also" not in text:
        return "that it may be repeated"
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType) and (
        not NUMBERS.search(text)
    ):
        return "of what it is a number"
    return ""


@pytest.mark.parametrize(
    ("option", "what"),
    [
        (click.Option(["--a"], is_flag=True, help="no sentence"), "a sentence"),
        (click.Option(["--a"], help="It has none."), "its default"),
        (click.Option(["--a"], default=1, show_default=True, help="N."), "of what it is a number"),
        (click.Option(["--a"], multiple=True, help="Some."), "that it may be repeated"),
        (click.Option(["--a"], type=int, help="Runs. Default: 1."), ""),
    ],
)
def test_the_judge_of_help(option: click.Option, what: str) -> None:
    assert lacks(option) == what


def test_every_option_says_what_a_person_asks() -> None:
    assert [(name, what) for name, option in OPTIONS if (what := lacks(option))] == []
    assert len(OPTIONS) > 100


def test_every_command_says_what_it_does() -> None:
    for path, command in COMMANDS.items():
        first = (command.help or "").split("\n\n")[0].strip()
        assert re.search(r"[.:?)]$", first), f"{path}: {first!r} is no sentence"
        for argument in command.params:
            if isinstance(argument, click.Argument):
                word = argument.make_metavar(click.Context(command)).strip("[].")
                assert word, path


@pytest.mark.parametrize("name", JUDGES)
def test_who_judges_tells_the_exit_codes(name: str) -> None:
    text = " ".join((COMMANDS[f"rig {name}"].help or "").split())
    assert all(f"{code} " in text for code in (0, 1, 125, 128)), text


def test_the_first_page_tells_codes_and_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["--help"]) == 0
    page = capsys.readouterr().out
    assert "RIG_CACHE_GIB" in page
    for kind in (FailureClass.ASSERT, FailureClass.BUILD, FailureClass.INFRA):
        assert re.search(rf"(?<!\d){kind.exit_code}(?!\d)", page)
    assert all(len(line) <= 80 for line in page.splitlines())
