# SPDX-License-Identifier: MIT
"""panthor.ko without a walk through the whole kernel.

`make modules` visits every folder with a module and reads all of vmlinux.o again, to end
with one file compiled. In an output folder that a whole build left behind, the folder's
own target compiles, and what is behind it (modpost, the module's last object, the link)
are the commands that kbuild noted there. Whoever builds an Image first makes one module
both ways (`rig.artifacts.kernel`): only where they are the same, byte for byte, is this way
gone, and where anything is not as expected kbuild does it all.
"""

from __future__ import annotations

import re
from pathlib import Path

from rig.kernel.repo import PANTHOR

_NOTE = re.compile(r"^savedcmd_\S+ := (.*)$", re.MULTILINE)
_PLAIN = {"$$": "$", "$(pound)": "#"}
_QUOTED = re.compile(r"\$\$|\$\(pound\)")
_SYMBOLS = "Module.symvers"
_SCRATCH = ".rig-symvers"
_ORDER = f"{PANTHOR}/modules.order"
_MADE = ("panthor.o", "panthor.mod.c", "panthor.mod.o", "panthor.ko")


def noted(objdir: Path, target: str) -> str:
    """The shell command that kbuild used for `target` the last time; empty: never.

    scripts/Kbuild.include (make-cmd) writes it for make: `$` doubled, `#` as a variable.
    """
    path = objdir / target
    file = path.with_name(f".{path.name}.cmd")
    found = _NOTE.search(file.read_text()) if file.is_file() else None
    return _QUOTED.sub(lambda match: _PLAIN[match[0]], found[1]) if found else ""


def last_steps(objdir: Path) -> list[str]:
    """The commands between panthor.o and panthor.ko; empty when kbuild must find them out.

    modpost gets the kernel's symbols from the table that the whole build wrote, as it does
    for a module outside the tree, but without the option that calls it so. A folder with a
    second module, or a modpost called otherwise than in 6.10 to 7.3, is kbuild's.
    """
    order = objdir / _ORDER
    modpost = noted(objdir, _SYMBOLS)
    usual = f"-o {_SYMBOLS} -T modules.order vmlinux.o"
    compiled, linked = (noted(objdir, f"{PANTHOR}/panthor.{end}") for end in ("mod.o", "ko"))
    if not order.is_file() or order.read_text() != f"{PANTHOR}/panthor.o\n":
        return []
    if (
        not modpost.endswith(usual)
        or not (compiled and linked)
        or not (objdir / _SYMBOLS).is_file()
    ):
        return []
    return [
        modpost.removesuffix(usual) + f"-o {_SCRATCH} -i {_SYMBOLS} -T {_ORDER}",
        # modpost writes its source only when it changed
        f"[ {PANTHOR}/panthor.mod.o -nt {PANTHOR}/panthor.mod.c ] || {{ {compiled}; }}",
        linked,
    ]


def forget(objdir: Path) -> None:
    """Take away what is linked: whoever makes the module next does every step anew."""
    for name in _MADE:
        (objdir / PANTHOR / name).unlink(missing_ok=True)
