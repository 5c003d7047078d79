"""Reads of a table or a check besides the tables that its FROM names: the clock, chance, files, the environment, tables named by a text.

They are part of what it is made from: without them a table that depends on today's date would be reused for ever.
"""

from __future__ import annotations

from .model import CATALOG, NOTHING, Outside, merged

__all__ = ["CATALOG", "NOTHING", "Outside", "merged"]
