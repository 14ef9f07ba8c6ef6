# SPDX-License-Identifier: MIT
"""What in a kernel log is a finding: one row a rule.

To add one: a row here, and tests/golden/kernel/<name>.log with its .expect.
The patterns are taken from the kernel's own format strings (7.3; older spellings
where they differ); the place is named beside each row. The first row that matches
a line wins, so the particular stands above the general.
"""

from __future__ import annotations

from rig.errors import FailureClass
from rig.verdict.rule import rule

END_TRACE = r"---\[ end trace"
LAST_FRAME = r"^ ret_from_fork|^ el0t_64_sync\+"
"""Where arm64 call traces of kernel threads and of system calls end."""
_PLUMBING = (
    r"show_stack|dump_stack\w*|__switch_to|_*schedule\w*|_*wait_for\w*|wait_event\w*|_*might_\w+"
    r"|_*mutex_lock\w*|print_\w+|refcount_\w+|__list_\w+|check_\w+|debug_\w+|dma_\w+|kfree"
)
CALLER = rf"^ (?!(?:{_PLUMBING})\+0x)(?P<caller>[\w.]+)\+0x"
"""The first frame of a call trace that is not the checker itself."""
PC = r"^pc : (?P<func>[\w.]+)\+0x"
_OOPS = FailureClass.OOPS
_HANG = FailureClass.HANG
_INFRA = FailureClass.INFRA
_LOCK_AT = r", at: (?P<func>[\w.]+)\+0x"
_LOCKDEP = (
    r"possible (?:circular locking dependency|recursive locking|irq lock inversion dependency)"
    r" detected|inconsistent lock state|\S+-safe -> \S+-unsafe lock order detected"
    r"|chain_key collision|Nested lock was not taken|bad (?:unlock balance|contention) detected!"
    r"|held lock freed!|\S+ still has locks held!|lock held when returning to user space!"
)

KERNEL_RULES = (
    # arch/arm64/kernel/traps.c, arch/arm64/mm/fault.c, kernel/panic.c
    rule(
        "panic",
        _OOPS,
        r"(?<!--\[ end )Kernel panic - not syncing: (?P<what>.*)",
        "panic: {what}",
        end=r"---\[ end Kernel panic",
    ),
    rule(
        "stack-overflow",
        _OOPS,
        r"Insufficient stack space to handle exception!",
        "kernel stack overflow in {func}",
        end=r"Kernel panic - not syncing: kernel stack overflow",
        where=PC,
    ),
    rule(
        "oops",
        _OOPS,
        r"Unable to handle kernel (?P<what>.+?) at virtual address",
        "oops: {what} in {func}",
        end=END_TRACE,
        context=r"Internal error: ",
        where=PC,
    ),
    rule(
        "serror",
        _OOPS,
        r"SError Interrupt on CPU\d+, code \S+ -- (?P<what>.*)",
        "SError: {what} in {func}",
        end=r"Kernel panic - not syncing",
        where=PC,
    ),
    rule(
        "kernel-bug",
        _OOPS,
        r"kernel BUG at \S+",
        "BUG in {func}",
        end=END_TRACE,
        context=r"Internal error: ",
        where=PC,
    ),
    rule(
        "external-abort",
        _OOPS,
        r"Internal error: (?P<what>synchronous .*?external abort.*?): [\da-f]{16}",
        "{what} in {func}",
        end=END_TRACE,
        where=PC,
    ),
    rule(
        "internal-error",
        _OOPS,
        r"Internal error: (?P<what>.*): [\da-f]{16} \[#\d+\]",
        "{what} in {func}",
        end=END_TRACE,
        where=PC,
    ),
    # mm/kasan/report.c, mm/kfence/report.c, lib/ubsan.c, mm/slub.c
    rule(
        "kasan",
        _OOPS,
        r"BUG: KASAN: (?P<what>[\w-]+)(?: in (?P<func>[\w.]+))?",
        "KASAN: {what} in {func}",
        end=r"^={60,}$",
    ),
    rule(
        "kfence",
        _OOPS,
        r"BUG: KFENCE: (?P<what>.+?) in (?P<func>[\w.]+)",
        "KFENCE: {what} in {func}",
        end=r"^={60,}$",
    ),
    rule(
        "ubsan",
        _OOPS,
        r"UBSAN: (?P<what>.+) in (?P<file>\S+?):\d+:\d+",
        "UBSAN: {what} in {file}",
        end=r"---\[ end trace \]---|" + END_TRACE,
    ),
    rule(
        "slub",
        _OOPS,
        r"BUG (?P<cache>\S+) \([^)]*\): (?P<what>.*)",
        "slab {cache}: {what}",
        end=r"^FIX |Disabling lock debugging",
    ),
    # kernel/locking/lockdep.c
    rule(
        "checker-off",
        _INFRA,
        r"(?P<what>BUG: MAX_\w+ too low!|DMA-API: debugging out of memory - disabling"
        r"|DMA-API: cacheline tracking ENOMEM"
        r"|kmemleak: Cannot allocate a kmemleak_object|ODEBUG: Out of memory. ODEBUG disabled)",
        "a checker switched itself off: {what}",
    ),
    rule(
        "lockdep",
        _OOPS,
        rf"WARNING: (?P<what>{_LOCKDEP})",
        "lockdep: {what} in {func}",
        end=r"^stack backtrace:",
        where=_LOCK_AT,
    ),
    rule(
        "lockdep-context",
        _OOPS,
        r"\[ BUG: (?P<what>Invalid wait context) \]",
        "lockdep: {what} in {func}",
        end=r"^stack backtrace:",
        where=_LOCK_AT,
    ),
    rule(
        "lockdep-key",
        _OOPS,
        r"INFO: (?P<what>trying to register non-static key)",
        "lockdep: {what}",
    ),
    rule(
        "rcu-usage",
        _OOPS,
        r"WARNING: suspicious RCU usage",
        "suspicious RCU usage: {what} ({file})",
        end=r"^stack backtrace:",
        where=r"^(?P<file>\S+?):\d+ (?P<what>.*)!$",
    ),
    # lib/refcount.c, kernel/dma/debug.c, lib/debugobjects.c, lib/list_debug.c: WARN()s with a name
    rule(
        "refcount",
        _OOPS,
        r"^refcount_t: (?P<what>.*?)\.?$",
        "refcount: {what} in {caller}",
        end=END_TRACE,
        context=r"^WARNING: ",
        where=CALLER,
    ),
    rule(
        "dma-api",
        _OOPS,
        r"DMA-API: \S+ \S+: (?P<what>[^\[]*?)(?:\s*\[|$)",
        "DMA-API: {what} in {caller}",
        end=END_TRACE,
        context=r"^WARNING: ",
        where=CALLER,
    ),
    rule(
        "debugobjects",
        _OOPS,
        r"^ODEBUG: (?P<what>\w+ .*?) \(active state.*?object type: (?P<kind>\w+)",
        "debugobjects: {what} {kind} in {caller}",
        end=END_TRACE,
        context=r"^WARNING: ",
        where=CALLER,
    ),
    rule(
        "list-corruption",
        _OOPS,
        r"^(?P<what>list_(?:add|del) corruption)",
        "{what} in {caller}",
        end=END_TRACE,
        context=r"^WARNING: |kernel BUG at|Internal error: ",
        where=CALLER,
    ),
    # kernel/sched/core.c, kernel/watchdog.c, kernel/rcu/tree_stall.h, kernel/hung_task.c
    rule(
        "sleeping",
        _OOPS,
        r"BUG: sleeping function called from invalid context at (?P<file>\S+?):\d+",
        "sleeping in atomic context at {file}, called from {caller}",
        end=LAST_FRAME,
        where=CALLER,
    ),
    rule(
        "atomic",
        _OOPS,
        r"BUG: scheduling while atomic: (?P<task>[^/]+)/",
        "scheduling while atomic: {task}",
        end=LAST_FRAME,
    ),
    rule(
        "soft-lockup",
        _HANG,
        r"BUG: soft lockup - CPU#\d+ stuck for \d+s! \[(?P<task>[^\]]*?):\d+\]",
        "soft lockup in {func} ({task})",
        end=LAST_FRAME,
        where=PC,
    ),
    rule(
        "workqueue-lockup",
        _HANG,
        r"BUG: workqueue lockup - pool",
        "workqueue lockup",
        end=r"^Showing backtraces",
    ),
    rule(
        "rcu-stall",
        _HANG,
        r"INFO: (?P<flavour>\w+) (?:self-)?detected (?:expedited )?stalls? on CPU",
        "RCU stall ({flavour})",
        end=LAST_FRAME,
    ),
    rule(
        "hung-task",
        _HANG,
        r"INFO: task (?P<task>.+):\d+ blocked.* for more than \d+ seconds",
        "hung task: {task} in {caller}",
        end=LAST_FRAME,
        where=CALLER,
        context=r"INFO: task .* blocked on a",
    ),
    rule("bug", _OOPS, r"(?:^|: )BUG: (?P<what>.*)", "BUG: {what}", end=LAST_FRAME),
    # kernel/panic.c: __warn(), its older wordings; WARN()'s own text stands before it
    # The file is there with CONFIG_DEBUG_BUGVERBOSE alone, hence not in the title.
    rule(
        "warning",
        _OOPS,
        r"^WARNING: (?:CPU: \d+ PID: \d+ )?(?:\S+:\d+ )?at (?:\S+:\d+ )?(?P<func>[\w.]+)\+0x",
        "WARNING in {func}{said}",
        end=END_TRACE,
    ),
    rule("warning", _OOPS, r"^WARNING: (?P<what>.*)", "WARNING: {what}", end=END_TRACE),
    # mm/kmemleak.c, fs/sysfs/dir.c, mm/oom_kill.c, kernel/printk/printk.c
    rule(
        "kmemleak",
        _OOPS,
        r"kmemleak: \d+ new suspected memory leaks",
        "kmemleak: suspected memory leaks",
    ),
    rule(
        "duplicate-name",
        _OOPS,
        r"sysfs: cannot create duplicate filename '(?P<what>[^']*)'",
        "duplicate sysfs name {what}",
        end=r"kobject_add_internal failed",
    ),
    rule(
        "oom",
        _INFRA,
        r"Out of memory: Killed process \d+ \((?P<task>.*?)\)",
        "out of memory: {task} killed",
    ),
    rule(
        "log-dropped",
        _INFRA,
        r"\*\* \d+ printk messages dropped \*\*",
        "the kernel log has lost lines",
        bare=True,
    ),
)
