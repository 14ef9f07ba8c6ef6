# SPDX-License-Identifier: MIT
"""What the rig costs: boot against bare QEMU, verdicts, device and driver rates, builds."""
