# SPDX-License-Identifier: MIT
"""panthor-rig: boots a real panthor on an emulated Mali CSF GPU with a real OP-TEE heap."""

__version__ = "0.1.0"
