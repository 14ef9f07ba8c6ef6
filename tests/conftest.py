# SPDX-License-Identifier: MIT
"""For all rings: Ctrl-C is heard, also below a shell's background job, which ignores it."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
