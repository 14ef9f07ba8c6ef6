# SPDX-License-Identifier: BSD-2-Clause
user-ta-uuid := 7f1c0b52-36d4-4f0e-9a86-2c53a1d4e9b7
user-ta-version := 0
