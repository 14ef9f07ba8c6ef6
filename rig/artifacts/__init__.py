# SPDX-License-Identifier: MIT
"""What gets built: recipes turn hashed inputs into folders of a content-addressed store."""
