# SPDX-License-Identifier: MIT
"""For all rings: signals mean what they mean at a terminal.

A shell's background job ignores SIGINT, and below nohup SIGHUP is ignored: a console
that hangs up would then not end what runs on it.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
