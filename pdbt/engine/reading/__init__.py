"""Reading source files into tables: CSV and its kin, spreadsheets, JSON and Parquet, as people really have them."""

from __future__ import annotations

from .formats import SUPPORTED, supported
from .load import load_table

__all__ = ["SUPPORTED", "load_table", "supported"]
