# SPDX-License-Identifier: MIT
"""gdb on a guest: `commands` writes what gdb reads, `symbols` runs inside gdb."""
