"""What the readers and their callers say to each other: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Column:
    """One column of a table: its name as written and its DuckDB type (``BIGINT``, ``VARCHAR``, ``DATE`` …)."""

    name: str
    type: str


@dataclass(frozen=True)
class ReadOptions:
    """What pdbt.toml says about one source; None and empty mean: find out.

    Attributes:
        delimiter: one or more characters between fields.
        decimal: ``.`` or ``,``.
        date_order: ``DMY``, ``MDY`` or ``YMD``: how dates are written whose values leave it open.
        encoding: a name that Python's codecs know.
        header: True, False, or the number of header rows.
        types: column name to DuckDB type; such a column is read as that type or its row rejected.
        on_error: ``fail`` stops at the first row that does not fit, ``reject`` sets such rows aside.
    """

    delimiter: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    encoding: str | None = None
    header: bool | int | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    on_error: str = "fail"


@dataclass(frozen=True)
class SourceTable:
    """A table to import: its name (capitals) and the files that make it, in name order.

    Attributes:
        name: the table's name.
        files: absolute paths; more than one when a folder of files is the table.
        label: the file or folder as a person would name it, relative to the project (``data/source/orders.csv``).
    """

    name: str
    files: tuple[Path, ...]
    label: str


CreateTable = Callable[[str, Sequence[Column]], int]
"""Replaces the table by the rows of a DuckDB SELECT over the reader's connection; returns the number of rows.

A DuckDB error raised by the SELECT passes through it unchanged, and leaves no half-made table that a second call would trip over.
"""


@dataclass(frozen=True)
class Loaded:
    """What became of one source table.

    Attributes:
        columns: the table's columns; empty when no file of it could be read (reject mode only).
        rows: rows in the table.
        rejected: rows and files set aside.
        rejected_file: a CSV with the columns file, line, column, reason, text for them (in the scratch folder); None when there are none.
        notes: one sentence per thing a person would want to know was found out (encoding, preamble, header rows …).
        unreadable: files that could not be read at all, each with the reason (reject mode only).
    """

    columns: tuple[Column, ...]
    rows: int
    rejected: int = 0
    rejected_file: Path | None = None
    notes: tuple[str, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()


RULES_VERSION = "2"
"""Changes when the same file would be read into another table than before, so that sources are imported again."""
