# SPDX-License-Identifier: MIT
"""Whether a tree's panthor_drm.h says what the guest's test clients were written for.

They are compiled once, against `guest/include/rig_panthor.h`; a tree that numbers an ioctl
or places a field otherwise would be judged by calls that it never promised to take. Both
headers are compiled, and every size, offset and number is compared.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.artifacts.guestprogs import CROSS, GUEST
from rig.artifacts.sources import files_digest
from rig.kernel.repo import KernelRepo, Tree
from rig.leftovers import temporary

OURS = GUEST / "include" / "rig_panthor.h"
UAPI = "include/uapi"
THEIRS = f"{UAPI}/drm/panthor_drm.h"
OF_SERIES = frozenset({
    "DRM_IOCTL_PANTHOR_PROTM_INIT",
    "DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO",
    "DRM_PANTHOR_DEV_QUERY_PROTM_INFO",
    "DRM_PANTHOR_GROUP_CREATE_PROTECTED",
    "DRM_PANTHOR_PROTECTED_FEATURE_BASIC",
    "DRM_PANTHOR_PROTM_READY",
    "DRM_PANTHOR_PROTM_UNINITIALIZED",
    "DRM_PANTHOR_PROTM_UNSUPPORTED",
    "struct drm_panthor_protm_info",
    "struct drm_panthor_protm_init",
})  # fmt: skip
"""What only trees with a contract's series have: it may be absent, not different."""
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "struct drm_panthor_group_create.flags": ("pad", "protected_suspend_bo_handle"),
}
"""Fields that are called otherwise in Linux 7.3, or in trees of another contract."""
_TOLD = 3
_STRUCT = re.compile(r"^struct (drm_\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(r"\b(?:u?int\d+_t|struct \w+) ([^;]+);")
_CONSTANT = re.compile(r"^(?:#define\s+|\t)(DRM_[A-Z0-9_]+)(?:\s|,)", re.MULTILINE)
_SIZE_OF_AN_IOCTL = 0x3FFF << 16
"""Not compared: the DRM core takes structs that grew (drm_ioctl.c, drm_ioctl())."""


@dataclass(frozen=True)
class Fact:
    """A number that a header says."""

    name: str
    value: str
    """The C expression that has it."""
    names: tuple[str, ...] = ()
    """Of the same field in other trees."""


def facts(header: str) -> list[Fact]:
    """Everything in our header that the kernel's must say too; fields behind their struct."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    found: list[Fact] = []
    for struct, body in _STRUCT.findall(text):
        name = f"struct {struct}"
        found.append(Fact(name, f"sizeof({name})"))
        for declaration in _DECLARATION.findall(body):
            for field in re.findall(r"\w+(?=\[|,|$)", re.sub(r"\[\w+\]", "[", declaration)):
                if field != "pad":  # a name and a use may come to it, which zeroes do not meet
                    found += _of_field(name, field)
    found += [
        Fact(name, f"(__u32)({name})" + (f" & ~{_SIZE_OF_AN_IOCTL:#x}u" if "IOCTL" in name else ""))
        for name in _CONSTANT.findall(text)
    ]
    return found


def _of_field(struct: str, field: str) -> Iterator[Fact]:
    name = f"{struct}.{field}"
    # one number for both: where it begins, and in the upper half how long it is
    value = "__builtin_offsetof({0}, {1}) | sizeof((({0} *)0)->{1}) << 32"
    others = (value.format(struct, other) for other in OTHER_NAMES.get(name, ()))
    yield Fact(name, value.format(struct, field), tuple(others))


def differences(repo: KernelRepo, tree: Tree) -> list[str]:
    """What the header of `tree` says otherwise, a few words each; empty: nothing.

    Structs that grew are no difference, nor is what an older tree's lack at their end.
    """
    folder = repo.id_of(tree, UAPI)
    if folder is None or repo.id_of(tree, THEIRS) is None:
        return [f"there is no {THEIRS}"]
    code = files_digest([OURS, Path(__file__)])
    return repo.memo(["uapi", folder, code], lambda: _differences(repo, tree))


def warning(repo: KernelRepo, tree: Tree) -> str:
    """One line for the user when there are differences; otherwise empty."""
    found = differences(repo, tree)
    if not found:
        return ""
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return (
        f"the tree's {THEIRS} differs from what our test programs use "
        f"(guest/include/{OURS.name}): {'; '.join(found[:_TOLD])}{more}. "
        "Scenarios that call panthor may fail for that alone"
    )


def _differences(repo: KernelRepo, tree: Tree) -> list[str]:
    with temporary("uapi") as folder:
        return compared(OURS, extracted(repo, tree, folder), folder)


def extracted(repo: KernelRepo, tree: Tree, folder: Path) -> Path:
    """The tree's uAPI headers in `folder`; panthor's among them."""
    with tarfile.open(fileobj=io.BytesIO(repo.archive(tree, UAPI))) as tar:
        for member in tar:
            if (content := tar.extractfile(member)) is not None:
                path = folder / member.name  # git knows no name that leads out of the tree
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    return folder / THEIRS


def compared(ours: Path, theirs: Path, folder: Path) -> list[str]:
    """`differences` of two headers; `folder` is for what is made meanwhile."""
    wanted = facts(ours.read_text())
    try:
        mine = measured(ours, wanted, folder)
        found = measured(theirs, wanted, folder)
    except _UnreadableError as error:
        return [str(error)]
    return [words for fact in wanted if (words := _difference(fact.name, mine, found))]


def _difference(name: str, mine: Mapping[str, int], found: Mapping[str, int]) -> str:
    want, have, (struct, _, field) = mine[name], found.get(name), name.partition(".")
    if field:
        begin, size = want & 0xFFFFFFFF, found.get(struct, 0)
        if size <= begin or have == want:
            return ""
        return f"no {name}" if have is None else f"{name} is {_place(have)}, not {_place(want)}"
    if have is None:
        return "" if name in OF_SERIES else f"no {name}"
    if have == want or name.startswith("struct "):
        return ""
    return f"{name} is {have:#x}, not {want:#x}"


def _place(value: int) -> str:
    return f"{value >> 32} bytes at {value & 0xFFFFFFFF}"


class _UnreadableError(Exception):
    """A header that no C file can include."""


def measured(header: Path, wanted: Sequence[Fact], folder: Path) -> dict[str, int]:
    """What `header` says of each fact that it knows."""
    left = {fact.name: (fact.value, *fact.names) for fact in wanted}
    while bad := _unknown(header, left, folder):
        tried = {name: values[1:] if name in bad else values for name, values in left.items()}
        left = {name: values for name, values in tried.items() if values}
    data = (folder / "facts.bin").read_bytes()
    numbers = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
    return dict(zip(left, numbers, strict=True))


def _unknown(header: Path, asked: Mapping[str, tuple[str, ...]], folder: Path) -> set[str]:
    """Names whose first expression does not compile; none: facts.bin has all numbers."""
    source, made = folder / "facts.c", folder / "facts.o"
    lines = [f'#include "{header}"', "#include <linux/types.h>", "const __u64 facts[] = {"]
    asks = [f"({values[0]})," for values in asked.values()]
    source.write_text("\n".join([*lines, *asks, "};\n"]))
    # the tree's own headers where the C library has none, such as linux/bits.h
    options = ("-w", "-D__user=", "-idirafter", str(folder / UAPI))
    command = [f"{CROSS}gcc", *options, "-c", str(source), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        copy = [f"{CROSS}objcopy", "-Obinary", "-j.rodata", str(made), str(folder / "facts.bin")]
        subprocess.run(copy, check=True)
        return set()
    names = list(asked)
    numbers = [int(n) - 1 - len(lines) for n in re.findall(r"facts\.c:(\d+):\d+: err", done.stderr)]
    errors = re.findall(r"error: .*", done.stderr)
    if not numbers or min(numbers) < 0 or len(numbers) < len(errors):
        raise _UnreadableError(f"{header.name} does not compile: {errors[0] if errors else '?'}")
    return {names[number] for number in numbers}
