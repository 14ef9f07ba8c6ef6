# SPDX-License-Identifier: MIT
"""`rig cp`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from rig import doctor, live
from rig.cli.guest import running
from rig.cli.terminal import call
from rig.errors import usage
from rig.ui import Reporter

MARK = ":"


@click.command("cp")
@click.option("--guest", "where", metavar="FOLDER|live", default=live.NEWEST, show_default=True,
              help="A guest that runs: its folder, or `live` for the newest.")  # fmt: skip
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... TARGET")
def command(where: str, paths: tuple[str, ...]) -> int:
    """Copy files and folders into a guest that runs, or out of it.

    A path that begins with a colon is the guest's:

        rig cp a.out my.deb :/root/
        rig cp :/root/trace.txt .
    """
    if len(paths) < 2 or not any(path.startswith(MARK) for path in paths):
        raise usage("no path of the guest", "begin the guest's paths with a colon: rig cp a.out :")
    folder = running(where)
    doctor.ensure(Reporter(), "ssh")
    return call(scp(live.read(folder).ssh, paths))


def scp(ssh: str, paths: Sequence[str]) -> list[str]:
    """The copy as OpenSSH's scp does it; `ssh`: the command line into the guest."""
    _ssh, *options, guest = shlex.split(ssh)
    port = ["-P" if word == "-p" else word for word in options]  # scp's -p keeps times
    ends = [f"{guest}{path}" if path.startswith(MARK) else _plain(path) for path in paths]
    return ["scp", "-r", *port, "--", *ends]


def _plain(path: str) -> str:
    """A path of this machine, also with a colon in it: scp would take that for a host's."""
    return path if "/" in path.partition(":")[0] or ":" not in path else f"./{path}"
