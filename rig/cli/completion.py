# SPDX-License-Identifier: MIT
"""`rig completion`, and what shells may offer behind some words."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from rig import catalogue
from rig.errors import infra
from rig.options import mutant_patches

_VARIABLE = "_RIG_COMPLETE"
"""click's: set by the shell's function when it asks `rig` itself."""
_EXPLAIN = """\
# rig: completion for {shell}. Put this line into your {file}:
#     eval "$(rig completion {shell})"
"""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh"]))
def command(shell: str) -> None:
    """Print the lines that make SHELL complete commands, options and scenarios.

    For this shell: eval "$(rig completion bash)". For all: the same in ~/.bashrc or ~/.zshrc;
    zsh wants `autoload -Uz compinit; compinit` before it.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise infra(f"this click cannot complete for {shell}")
    root = click.get_current_context().find_root().command
    file = "~/.bashrc" if shell == "bash" else "~/.zshrc"
    click.echo(_EXPLAIN.format(shell=shell, file=file))
    click.echo(kind(root, {}, "rig", _VARIABLE).source())


def scenarios(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Families and scenarios that begin like that."""
    names: dict[str, None] = {}
    for entry in catalogue.entries():
        names.update({entry.family: None, entry.id: None})
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def mutants(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of mutants that `--mutant` takes and that begin like that."""
    found = sorted(mutant_patches())
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]
