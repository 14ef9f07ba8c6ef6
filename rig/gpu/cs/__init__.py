# SPDX-License-Identifier: MIT
"""Command streams of Mali CSF GPUs: instruction table, assembler, disassembler."""
