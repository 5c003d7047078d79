"""Reading source files into tables: CSV and its kin, spreadsheets, JSON and Parquet, as people really have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .formats import SUPPORTED, supported

if TYPE_CHECKING:
    from .load import load_table

__all__ = ["SUPPORTED", "load_table", "supported"]


def __getattr__(name: str) -> object:
    """Load `load_table`, and DuckDB with it, where it is first asked for: settings and plans need neither."""
    if name != "load_table":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .load import load_table

    return load_table
