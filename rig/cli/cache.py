# SPDX-License-Identifier: MIT
"""`rig cache ls|gc`."""

from __future__ import annotations

import time

import click

from rig import cache
from rig.store import GIB, Store


@click.group("cache")
def command() -> None:
    """The cache folder: where it is, what is in it, and how to make it smaller.

    RIG_CACHE moves it; RIG_CACHE_GIB bounds it (20 by default), and every build that
    makes it grow beyond that removes what was not used for longest.
    """


@command.command("ls")
@click.option("--artifacts", is_flag=True, help="Each artifact, least recently used first.")
def ls(artifacts: bool) -> None:
    """Say how much each part takes."""
    store = Store()
    for artifact, used in store.artifacts() if artifacts else ():
        age = (time.time() - used) / 3600
        click.echo(
            f"{artifact.name:12} {artifact.key}  {artifact.size / 1e6:8.1f} MB  "
            f"{artifact.cpu_seconds:7.1f} CPU s  used {age:6.1f} h ago"
        )
    _parts(store)


def _parts(store: Store) -> None:
    sizes = cache.sizes(store, fresh=True)
    for name, size in sizes.items():
        click.echo(f"{name:8} {size / GIB:7.2f} GiB  {cache.PARTS[name]}")
    total = sum(sizes.values()) / GIB
    bound = f"bound {cache.bound():g} GiB, {cache.VARIABLE}"
    click.echo(f"{'all':8} {total:7.2f} GiB  {store.root} ({bound})")


@command.command("gc")
@click.option(
    "--max-gib",
    type=click.FloatRange(min=0),
    metavar="GIB",
    help="Size to come down to, in GiB. Default: RIG_CACHE_GIB, or 20.",
)
def gc(max_gib: float | None) -> None:
    """Remove what was not used for longest until the folder is small enough.

    Never what a live rig uses, nor sources and build trees: those are yours to delete
    while no rig runs.
    """
    store = Store()
    for item, size in cache.make_room(store, max_gib, fresh=True):
        click.echo(f"removed {item.what} ({size / 1e6:.1f} MB)")
    _parts(store)
