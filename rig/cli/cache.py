# SPDX-License-Identifier: MIT
"""`rig cache ls|gc`."""

from __future__ import annotations

import time

import click

from rig.store import DEFAULT_GIB, GIB, Store


@click.group("cache")
def command() -> None:
    """The artifact store: where it is, what is in it, and how to make it smaller.

    Set RIG_CACHE to move it.
    """


@command.command("ls")
def ls() -> None:
    """List artifacts, least recently used first."""
    store = Store()
    total = 0
    for artifact, used in store.artifacts():
        size = artifact.size
        total += size
        age = (time.time() - used) / 3600
        click.echo(
            f"{artifact.name:12} {artifact.key}  {size / 1e6:8.1f} MB  "
            f"{artifact.cpu_seconds:7.1f} CPU s  used {age:6.1f} h ago"
        )
    click.echo(f"{total / 1e6:.1f} MB in {store.root}")


@command.command("gc")
@click.option("--max-gib", default=DEFAULT_GIB, show_default=True, help="Keep at most this much.")
def gc(max_gib: float) -> None:
    """Remove the least recently used artifacts until the store is small enough.

    `rig run` and `rig build` do so by themselves, at the default, after a build.
    """
    store = Store()
    for artifact, size in store.trim(int(max_gib * GIB)):
        click.echo(f"removed {artifact.name} {artifact.key} ({size / 1e6:.1f} MB)")
    left = sum(artifact.size for artifact, _used in store.artifacts())
    click.echo(f"{left / 1e6:.1f} MB left in {store.root}")
