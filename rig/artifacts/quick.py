# SPDX-License-Identifier: MIT
"""panthor.ko without a walk through the whole kernel.

`make modules` visits every folder with a module and reads all of vmlinux.o again, to end
with one file compiled; even the folder's own target takes a second to find out which. In an
output folder that a whole build left behind, the commands that kbuild noted there do it:
those of the objects that are older than what they were made from, and those behind them
(modpost, the module's last object, the link). Whoever builds an Image first makes one module
both ways (`rig.artifacts.kernel`): only where they are the same, byte for byte, is this way
gone, and where anything is not as expected kbuild does it all.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rig.errors import RigError
from rig.kernel.repo import PANTHOR

_NOTE = re.compile(r"^savedcmd_\S+ := (.*)$", re.MULTILINE)
_PLAIN = {"$$": "$", "$(pound)": "#"}
_QUOTED = re.compile(r"\$\$|\$\(pound\)")
_SYMBOLS = "Module.symvers"
_SCRATCH = ".rig-symvers"
_ORDER = f"{PANTHOR}/modules.order"
_MADE = ("panthor.o", "panthor.mod.c", "panthor.mod.o", "panthor.ko")
_OBJECTS = f"{PANTHOR}/panthor.mod"
"""kbuild's list of what panthor.o is linked from."""
_JOINED = f"{PANTHOR}/panthor.o"
_COMMANDS, _LINKING = ".rig-commands", ".rig-linking"
_DEPENDENCY = re.compile(
    r"^  (\S+) \\$|^    \$\(wildcard (\S+)\) \\$|^source_\S+ := (\S+)$", re.MULTILINE
)


def noted(objdir: Path, target: str) -> str:
    """The shell command that kbuild used for `target` the last time; empty: never.

    scripts/Kbuild.include (make-cmd) writes it for make: `$` doubled, `#` as a variable.
    """
    return _QUOTED.sub(lambda match: _PLAIN[match[0]], _as_noted(objdir, target))


def _as_noted(objdir: Path, target: str) -> str:
    file = _note(objdir, target)
    found = _NOTE.search(file.read_text()) if file.is_file() else None
    return found[1] if found else ""


def _note(objdir: Path, target: str) -> Path:
    path = objdir / target
    return path.with_name(f".{path.name}.cmd")


def objects(objdir: Path) -> list[str]:
    """What panthor.o is linked from; empty when that is not known."""
    listed = objdir / _OBJECTS
    return listed.read_text().split() if listed.is_file() else []


def stale(objdir: Path) -> list[str] | None:
    """The objects that are older than something they were made from, the largest first.

    None where kbuild must find out: a note is missing, or a file that it names. Which commands
    there are is no question here: who made the module both ways has them in his proof.
    """
    targets, time_of = objects(objdir), cache(lambda name: _time(objdir / name))
    if not targets or not noted(objdir, _JOINED):
        return None
    found: dict[str, int] = {}
    for target in targets:
        note = _note(objdir, target)
        needed = _DEPENDENCY.findall(note.read_text()) if note.is_file() else []
        files = [time_of(file or source) for file, _, source in needed if file or source]
        if not files or None in files:
            return None
        options = [time_of(option) for _, option, _ in needed if option]
        made = _time(objdir / target)
        if made is None or made < max(one for one in (*files, *options) if one is not None):
            found[target] = (objdir / target).stat().st_size if made else 0
    return sorted(found, key=lambda target: found[target], reverse=True)


def _time(path: Path) -> int | None:
    """When a file was written, ns; None: it is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def compiled(objdir: Path, run: Callable[[list[str]], None]) -> bool:
    """Whether all objects are new, the stale ones made by `run` on all cores.

    False: kbuild shall compile. A stale object's note is taken away first and is there again
    with the object: one that is there vouches for it, however this ends.
    """
    targets = stale(objdir)
    if not targets:
        return targets is not None
    (objdir / _COMMANDS).write_text("\0".join(_compilation(objdir, one) for one in targets))
    at_once = str(os.cpu_count() or 1)
    try:
        with _restored(objdir, targets):
            run(["xargs", "-0", "-a", _COMMANDS, "-n", "1", "-P", at_once, "sh", "-c"])
    except RigError:  # kbuild tells it better, or knows what is missing
        return False
    return True


def _compilation(objdir: Path, target: str) -> str:
    """What kbuild does for an object (scripts/Kbuild.include, cmd_and_fixdep), and says."""
    note, depends = (f"{PANTHOR}/.{Path(target).name}.{end}" for end in ("cmd", "d"))
    fixdep = f"scripts/basic/fixdep {depends} {target} {shlex.quote(_as_noted(objdir, target))}"
    return _script(
        f"echo '  CC [M]  {target}'",
        f"rm -f {note} {target}",
        noted(objdir, target),
        f"{fixdep} > {note}.new",
        f"mv {note}.new {note}",
        f"rm -f {depends}",
    )


def _script(*steps: str) -> str:
    """One step after the other up to the first that fails; `sh -e` overlooks some that do."""
    return "".join(f"{{ {step}\n}} || exit 1\n" for step in steps)


@contextmanager
def _restored(objdir: Path, targets: Sequence[str]) -> Iterator[None]:
    """What did not compile has its note again, and no object, unless this process is killed."""
    notes = {target: _note(objdir, target).read_text() for target in targets}
    try:
        yield
    finally:
        for target, text in notes.items():
            if not (note := _note(objdir, target)).exists():
                (objdir / target).unlink(missing_ok=True)
                note.write_text(text)


def last_steps(objdir: Path) -> list[str]:
    """The commands between the objects and panthor.ko; empty when kbuild must find them out.

    modpost gets the kernel's symbols from the table that the whole build wrote, as it does
    for a module outside the tree, but without the option that calls it so. A folder with a
    second module, or a modpost called otherwise than in 6.10 to 7.3, is kbuild's.
    """
    order = objdir / _ORDER
    modpost = noted(objdir, _SYMBOLS)
    usual = f"-o {_SYMBOLS} -T modules.order vmlinux.o"
    compiled, linked = (noted(objdir, f"{PANTHOR}/panthor.{end}") for end in ("mod.o", "ko"))
    if not order.is_file() or order.read_text() != f"{_JOINED}\n":
        return []
    if (
        not modpost.endswith(usual)
        or not (compiled and linked)
        or not (objdir / _SYMBOLS).is_file()
    ):
        return []
    return [
        *([joined] if (joined := noted(objdir, _JOINED)) else []),
        modpost.removesuffix(usual) + f"-o {_SCRATCH} -i {_SYMBOLS} -T {_ORDER}",
        # modpost writes its source only when it changed
        f"[ {PANTHOR}/panthor.mod.o -nt {PANTHOR}/panthor.mod.c ] || {{ {compiled}; }}",
        linked,
    ]


def linked(objdir: Path, steps: Sequence[str], run: Callable[[list[str]], None]) -> None:
    """Have `run` go the last steps; nobody takes what a kill leaves for whole (`tidy`)."""
    mark = objdir / _LINKING
    mark.touch()
    run(["sh", "-c", _script(*steps)])
    mark.unlink()


def tidy(objdir: Path) -> None:
    """Take away what a link that did not end has left: kbuild would call it up to date."""
    if (objdir / _LINKING).exists():
        forget(objdir)
        (objdir / _LINKING).unlink()


def forget(objdir: Path) -> None:
    """Take away an object and what is linked: who makes the module next does all steps anew."""
    for name in (*(f"{PANTHOR}/{name}" for name in _MADE), *objects(objdir)[:1]):
        (objdir / name).unlink(missing_ok=True)
