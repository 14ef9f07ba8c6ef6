# SPDX-License-Identifier: MIT
"""Sources through the private apt: which version is taken, what is kept, what needs no network.

apt-get, apt-cache, dpkg-source and dpkg-deb are a script of the test's own: a pool is a
folder, and what the script was asked for stands in a file.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from rig.artifacts import apt as apt_module
from rig.artifacts import sources as sources_module
from rig.artifacts.apt import KEYRING, SUITES, Apt
from rig.artifacts.sources import RECORD, Sources, SourceSpec
from rig.errors import FailureClass, RigError
from rig.store import Store
from rig.ui import Reporter

SCRIPT = """\
#!/bin/sh
# offers: suite|package|version|kind, in the order of apt-cache; gone: what the pool lost
cd_pool={pool}
echo "$(basename "$0") $*" >> $cd_pool/calls
[ -e $cd_pool/offline ] && {{ echo "E: Could not resolve the mirror" >&2; exit 100; }}
last=
for last; do :; done
case "$(basename "$0") $*" in
"apt-get update"*) ;;
"apt-cache madison"*)
    while IFS='|' read -r suite package version kind; do
        [ "$package" != "$last" ] || echo " $package | $version | a-mirror $suite/main $kind"
    done < $cd_pool/offers;;
"apt-get source"*)
    grep -qx "$last" $cd_pool/gone && {{ echo "E: 404 $last" >&2; exit 100; }}
    echo "$last" > it.dsc; echo "tar of $last" > it.tar.xz;;
"apt-get -q download"*) echo "$last" > it.deb;;
"apt-get"*" -t "*)
    suite=$(echo "$*" | sed 's/.* -t \\([^ ]*\\) .*/\\1/')
    into=$(echo "$*" | sed 's/.*archives=\\([^ ]*\\) .*/\\1/')
    echo half > "$into/half-$suite.deb"
    grep -qx "$suite" $cd_pool/gone && {{ echo "E: no $last in $suite" >&2; exit 100; }}
    mv "$into/half-$suite.deb" "$into/$last-$suite.deb";;
"dpkg-source"*) mkdir "$last" && cp "$(dirname "$last")/it.dsc" "$last/from";;
"dpkg-deb"*)
    mkdir -p "$last/usr/src/top"
    cp "$(dirname "$last")/it.deb" "$last/usr/src/top/from"
    tar -C "$last/usr/src" -cJf "$last/usr/src/linux-source-7.3.tar.xz" top;;
*) exit 99;;
esac
"""
OFFERS = """\
sid|qemu|1:10.2.1+ds-1|Sources
forky|qemu|1:10.0.9~rc1|Sources
forky|qemu|1:10.0.7+ds-2|Sources
trixie|qemu|1:10.0.3+ds-0+deb13u1|Sources
trixie|qemu|1:10.0.3+ds-0+deb13u1|amd64 Packages
bookworm|qemu|1:7.2+dfsg-7|Sources
sid|linux-source-7.3|7.3.4-1|amd64 Packages
"""
QEMU = SourceSpec("qemu", "10.0.", ("trixie", "forky", "sid"))


class Pool:
    """What the fake mirror has, and what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("offers", OFFERS), ("gone", ""), ("calls", "")):
            (folder / name).write_text(text)

    def calls(self, word: str) -> list[str]:
        return [line for line in (self.folder / "calls").read_text().splitlines() if word in line]

    def lose(self, *what: str) -> None:
        (self.folder / "gone").write_text("".join(f"{one}\n" for one in what))

    def go_offline(self) -> None:
        (self.folder / "offline").touch()


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    folder, tools = tmp_path / "pool", tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    for name in ("apt-get", "apt-cache", "dpkg-source", "dpkg-deb"):
        (tools / name).write_text(SCRIPT.format(pool=folder))
        (tools / name).chmod(0o755)
    own = {"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    for module in (apt_module, sources_module):
        monkeypatch.setattr(module, "build_environment", lambda: own)
    monkeypatch.setattr(apt_module, "system_mirror", lambda: "http://mirror.example/debian")
    return Pool(folder)


def sources(tmp_path: Path, *, refresh: bool = False) -> Sources:
    """As a new process would see the store."""
    ui = Reporter(Console(file=io.StringIO()))
    return Sources(Store(tmp_path / "cache"), ui, refresh=refresh)


def test_the_first_suite_that_has_the_series_is_taken(tmp_path: Path, pool: Pool) -> None:
    tree = sources(tmp_path).tree(QEMU)
    assert tree.version == "1:10.0.3+ds-0+deb13u1"
    assert (tree.path / "from").read_text() == "qemu=1:10.0.3+ds-0+deb13u1\n"
    assert ":" not in str(tree.path), "make cannot bear the epoch's colon"


def test_a_pool_that_lost_a_version_is_followed_by_the_next_suite(
    tmp_path: Path, pool: Pool
) -> None:
    pool.lose("qemu=1:10.0.3+ds-0+deb13u1")
    assert sources(tmp_path).tree(QEMU).version == "1:10.0.7+ds-2"
    assert [call.split()[-1] for call in pool.calls("apt-get source")] == [
        "qemu=1:10.0.3+ds-0+deb13u1",
        "qemu=1:10.0.7+ds-2",
    ]


def test_when_no_suite_has_it_each_refusal_is_told(tmp_path: Path, pool: Pool) -> None:
    pool.lose("qemu=1:10.0.3+ds-0+deb13u1", "qemu=1:10.0.7+ds-2")
    with pytest.raises(RigError) as caught:
        sources(tmp_path).tree(QEMU)
    message = caught.value.message
    assert caught.value.failure is FailureClass.INFRA
    assert message.index("trixie 1:10.0.3") < message.index("forky 1:10.0.7")
    assert "10.2.1" not in message, "another series was tried"
    assert "--qemu-src" in caught.value.hint


def test_a_series_that_nobody_offers(tmp_path: Path, pool: Pool) -> None:
    """A release candidate is not of the series, a binary package no source."""
    only_rc = SourceSpec("qemu", "10.0.9", ("forky",))
    with pytest.raises(RigError, match="none of forky offers that series"):
        sources(tmp_path).tree(only_rc)


def test_versions_and_suites_are_recorded(tmp_path: Path, pool: Pool) -> None:
    tree = sources(tmp_path).tree(QEMU)
    record = json.loads((tree.path.parent / RECORD).read_text())
    assert record == {"version": tree.version, "suite": "trixie", "digest": tree.digest}
    assert sorted(p.name for p in tree.path.parent.iterdir()) == [RECORD, "tree"]


def test_after_one_fetch_no_network_is_needed(tmp_path: Path, pool: Pool) -> None:
    first = sources(tmp_path).tree(QEMU)
    debs = sources(tmp_path).debs(["libc6", "kmod"], ["bookworm"])
    pool.go_offline()
    before = pool.calls("")
    assert sources(tmp_path).tree(QEMU) == first
    assert sources(tmp_path).debs(["libc6", "kmod"], ["bookworm"]) == debs
    assert pool.calls("") == before, "a tool was run although everything was there"


def test_what_was_fetched_outlives_a_refresh_that_fails(tmp_path: Path, pool: Pool) -> None:
    first = sources(tmp_path).tree(QEMU)
    pool.go_offline()
    with pytest.raises(RigError, match="resolve"):
        sources(tmp_path, refresh=True).tree(QEMU)
    assert sources(tmp_path).tree(QEMU) == first
    assert (first.path / "from").exists()


def test_refresh_takes_what_is_new(tmp_path: Path, pool: Pool) -> None:
    old = sources(tmp_path).tree(QEMU)
    newer = OFFERS.replace("10.0.3+ds-0+deb13u1", "10.0.4+ds-0+deb13u1")
    (pool.folder / "offers").write_text(newer)
    assert sources(tmp_path).tree(QEMU) == old
    fresh = sources(tmp_path, refresh=True).tree(QEMU)
    assert fresh.version == "1:10.0.4+ds-0+deb13u1"
    assert fresh.digest != old.digest
    assert sources(tmp_path).tree(QEMU) == fresh, "the older one is preferred again"


def test_linux_comes_out_of_a_binary_package(tmp_path: Path, pool: Pool) -> None:
    tree = sources(tmp_path).tree(SourceSpec("linux-source-7.3", "7.3.", ("sid",), kind="binary"))
    assert (tree.version, (tree.path / "from").read_text()) == (
        "7.3.4-1", "linux-source-7.3=7.3.4-1\n",
    )  # fmt: skip


def test_a_tree_by_path_is_taken_as_it_is(tmp_path: Path, pool: Pool) -> None:
    mine = tmp_path / "my qemu"
    mine.mkdir()
    (mine / "VERSION").write_text("10.0.50\n")
    spec = SourceSpec("qemu", "10.0.", ("trixie",), override=mine)
    first = sources(tmp_path).tree(spec)
    assert first.path == mine
    assert pool.calls("") == []
    (mine / "VERSION").chmod(0o755)
    second = sources(tmp_path).tree(spec)
    (mine / "VERSION").write_text("10.0.51\n")
    assert len({first.digest, second.digest, sources(tmp_path).tree(spec).digest}) == 3


def test_a_path_without_a_tree_is_refused(tmp_path: Path, pool: Pool) -> None:
    spec = SourceSpec("qemu", "10.0.", ("trixie",), override=tmp_path / "nothing")
    with pytest.raises(RigError, match="no source tree at") as caught:
        sources(tmp_path).tree(spec)
    assert caught.value.failure is FailureClass.USAGE


def test_packages_come_from_one_suite_with_nothing_half_fetched(tmp_path: Path, pool: Pool) -> None:
    pool.lose("bookworm")
    found = sources(tmp_path).debs(["libc6", "kmod"])
    assert [path.name for path in found.paths] == ["kmod-trixie.deb"]
    record = json.loads((found.paths[0].parent / RECORD).read_text())
    assert record == {"suite": "trixie", "packages": ["libc6", "kmod"]}
    pool.lose("bookworm", "trixie")
    with pytest.raises(RigError, match=r"bookworm: .*trixie: "):
        sources(tmp_path).debs(["busybox"])
    assert sources(tmp_path).debs(["libc6", "kmod"]) == found


def test_every_list_is_checked_against_the_archives_keyring(tmp_path: Path, pool: Pool) -> None:
    sources(tmp_path).tree(QEMU)
    root = tmp_path / "cache/sources/apt-amd64"
    lines = (root / "sources.list").read_text().splitlines()
    assert [line.split()[-2] for line in lines if line.startswith("deb ")] == list(SUITES)
    assert all(f"[signed-by={KEYRING}]" in line for line in lines)
    assert not any("trusted" in line or "insecure" in line for line in lines)


@pytest.mark.skipif(shutil.which("apt-config") is None, reason="no apt on this machine")
def test_the_machines_own_apt_state_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the real apt understands our configuration."""
    monkeypatch.setattr(apt_module, "system_mirror", lambda: "http://mirror.example/debian")
    root = tmp_path / "apt"
    Apt(root)._configure()
    names = (
        "Dir::State/d", "Dir::State::Lists/d", "Dir::State::status/f", "Dir::Cache/d",
        "Dir::Cache::archives/d", "Dir::Etc::SourceList/f",
    )  # fmt: skip
    shell = [word for name in names for word in (name.rsplit("::", 1)[-1].replace("/", "_"), name)]
    done = subprocess.run(
        ["apt-config", "shell", *shell], env={**os.environ, "APT_CONFIG": str(root / "apt.conf")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    paths = [line.split("=", 1)[1].strip("'") for line in done.stdout.splitlines()]
    assert len(paths) == len(names)
    assert all(Path(path).is_relative_to(root) for path in paths), paths
