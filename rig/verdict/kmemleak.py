# SPDX-License-Identifier: MIT
"""What /sys/kernel/debug/kmemleak lists, as titles that name who leaked.

Format: Documentation/dev-tools/kmemleak.rst; one paragraph an object, its call trace
innermost first, ``[<address>] function+0x…/0x… [module]`` or without the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OBJECT = re.compile(r"^unreferenced object (?:\(percpu\) )?0x[0-9a-f]+ \(size (\d+)\):", re.M)
_COMM = re.compile(r'^\s+comm "(.*)", pid \d+', re.M)
_FRAME = re.compile(r"^\s+(?:\[<[^>]*>\] )?([\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[(\w+)\])?", re.M)
_ALLOCATOR = re.compile(
    r"^(kmemleak_|__?kmalloc|kmalloc|__?kmem_cache|kmem_cache|kvmalloc|__?kvmalloc|__alloc_|"
    r"alloc_|vmalloc|__vmalloc|___slab|__slab|slab_|kstrdup|kmemdup|devm_k|drmm_k|krealloc|kcalloc)"
)


@dataclass(frozen=True)
class Leak:
    """One object that nothing points to."""

    size: int
    """Bytes."""
    comm: str
    """Task that allocated it."""
    frames: tuple[str, ...]
    """Functions of the call trace, innermost first; `module:function` in modules."""

    @property
    def who(self) -> str:
        """The innermost function that is no allocator."""
        users = [frame for frame in self.frames if not _ALLOCATOR.match(frame)]
        return (users or list(self.frames) or ["an unknown function"])[0]

    @property
    def title(self) -> str:
        """For the verdict."""
        return f"{self.size} bytes allocated by {self.who} ({self.comm}) are lost"


def parse(text: str) -> list[Leak]:
    """The listed objects, whoever allocated them."""
    starts = list(_OBJECT.finditer(text))
    ends = [*(match.start() for match in starts[1:]), *([len(text)] if starts else [])]
    return [
        _leak(int(match[1]), text[match.end() : end])
        for match, end in zip(starts, ends, strict=True)
    ]


def _leak(size: int, body: str) -> Leak:
    comm = _COMM.search(body)
    frames = tuple(
        f"{module}:{function}" if module else function for function, module in _FRAME.findall(body)
    )
    return Leak(size, comm[1] if comm else "?", frames)
