# SPDX-License-Identifier: MIT
"""Runs inside gdb: symbols of the guest's modules, at the addresses they were loaded to.

The addresses are those of /sys/module/NAME/sections, read where sysfs has them from,
`struct module_sect_attrs` (kernel/module/sysfs.c): that works in a guest that is stopped,
hung or dead. A breakpoint in do_init_module() sees modules that are loaded later, before
their first instruction; pending breakpoints find their place then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

_added: dict[str, int] = {}
"""Module -> address of .text that its symbols were added for."""


def sections(module: Any) -> dict[str, int]:
    """Section name -> address of one `struct module`."""
    attrs = module["sect_attrs"].dereference()
    found = {}
    if any(field.name == "nsections" for field in attrs.type.fields()):  # before 6.14
        for number in range(int(attrs["nsections"])):
            one = attrs["attrs"][number]
            found[one["battr"]["attr"]["name"].string()] = int(one["address"])
        return found
    group = attrs["grp"]
    names = [field.name for field in group.type.fields()]
    array = group["bin_attrs" if "bin_attrs" in names else "bin_attrs_new"]
    number = 0
    while int(array[number]):
        one = array[number].dereference()
        found[one["attr"]["name"].string()] = int(one["private"])
        number += 1
    return found


def modules() -> Iterator[Any]:
    """Every `struct module` on the kernel's list."""
    kind = gdb.lookup_type("struct module")
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == "list")
    head = gdb.parse_and_eval("&modules")
    node = head["next"]
    while int(node) != int(head):
        yield gdb.Value(int(node) - offset).cast(kind.pointer()).dereference()
        node = node["next"]


class Symbols:
    """Adds the symbols of modules from the folders where their files are."""

    def __init__(self, folders: list[str]) -> None:
        self._files: dict[str, Path] = {}
        for folder in folders:
            for file in Path(folder).rglob("*.ko"):
                self._files.setdefault(file.stem.replace("-", "_"), file)

    def add(self, module: Any) -> None:
        """One module; again when it was loaded to another place since."""
        name = module["name"].string()
        file, found = self._files.get(name), sections(module)
        text = found.get(".text")
        if file is None or text is None or _added.get(name) == text:
            return
        if name in _added:
            gdb.execute(f"remove-symbol-file -a {_added[name]:#x}", to_string=True)
        rest = " ".join(
            f"-s {section} {address:#x}"
            for section, address in found.items()
            if section != ".text" and not section.startswith((".note", "__"))
        )
        gdb.execute(f'add-symbol-file "{file}" {text:#x} {rest}', to_string=True)
        _added[name] = text
        print(f"rig: {name} is at {text:#x}")

    def add_all(self) -> None:
        """Every module that is loaded now."""
        try:
            for module in modules():
                self.add(module)
        except gdb.MemoryError as error:
            print(f"rig: no modules read ({error}); is this CPU in the secure world?")
            print("rig: `continue`, Ctrl-C and `rig-symbols` try again")


class OnLoad(gdb.Breakpoint):  # type: ignore[misc]
    """Stops for a moment where a module's init function is about to be called."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__("*do_init_module", internal=True)  # its first instruction, no later
        self.silent = True
        self._symbols = symbols

    def stop(self) -> bool:
        """gdb's question whether to stop for the user."""
        # inlined code at its head hides the argument from DWARF: AAPCS64 has it in x0
        module = gdb.parse_and_eval("$x0").cast(gdb.lookup_type("struct module").pointer())
        self._symbols.add(module.dereference())
        return False


NOPS = 8
"""Bytes of the nops that -fpatchable-function-entry=2 puts at a function's symbol on arm64."""


def one_place(breakpoint: Any) -> None:
    """Leave out each place that is only a symbol, with its function a few nops behind it.

    The kernel's -fpatchable-function-entry makes gcc 12 begin a function's debug information
    behind the nops, and gdb then stops at both: at the symbol without arguments. Whether gdb
    knows a name for the symbol's place says nothing: it does not where the module lies upon
    the freed .init.text of another one.
    """
    if breakpoint.number < 0:
        return
    places = getattr(breakpoint, "locations", ())  # gdb 13
    begins = {_begin(place.address) for place in places}
    for place in places:
        behind = {place.address + gap for gap in range(4, NOPS + 4, 4)}
        if place.enabled and _begin(place.address) is None and behind & begins:
            place.enabled = False


def _begin(address: int) -> int | None:
    """Where the function begins that has debug information for `address`."""
    begin, block = None, gdb.block_for_pc(address)
    while block is not None:  # outwards: inlined functions, then the one they are in
        begin = int(block.start) if block.function is not None else begin
        block = block.superblock
    return begin


class RigSymbols(gdb.Command):  # type: ignore[misc]
    """rig-symbols: look again which modules are loaded, and where."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__("rig-symbols", gdb.COMMAND_FILES)
        self._symbols = symbols

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """gdb's call."""
        self._symbols.add_all()


def start(folders: list[str]) -> None:
    """Once gdb is connected: symbols of what is loaded, and of what will be."""
    symbols = Symbols(folders)
    symbols.add_all()
    gdb.events.breakpoint_created.connect(one_place)
    gdb.events.breakpoint_modified.connect(one_place)
    OnLoad(symbols)
    RigSymbols(symbols)
