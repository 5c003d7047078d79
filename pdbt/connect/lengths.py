"""Columns of a fixed or a limited length: what a server would shorten or fill up without a word is refused by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Column
from .values import refused

if TYPE_CHECKING:
    import pyarrow as pa

_CHAR = re.compile(r"char(?:\(\d+\))?")  # of MySQL, which takes the spaces at its end away
_BINARY = re.compile(r"binary\((\d+)\)")  # of MySQL, which fills it up with zeros
_VARYING = re.compile(r"character varying\((\d+)\)")  # of PostgreSQL, which cuts off spaces that are too many
_CHARACTER = re.compile(r"character\((\d+)\)")  # of PostgreSQL, which fills it up with spaces, and compares without them


def refuse_changed_by_mysql(batch: pa.RecordBatch, columns: Sequence[Column]) -> None:
    """Refuse texts that end with a space for a char, and bytes of another length for a binary."""
    import pyarrow.compute as pc

    for array, column in zip(batch.columns, columns, strict=True):
        if column.kind == "VARCHAR" and _CHAR.match(column.native) and pc.any(pc.ends_with(array, " ")).as_py():
            raise refused(column, "a text that ends with a space, which the target's char does not keep")
        length = _BINARY.match(column.native) if column.kind == "BLOB" else None
        if length is not None and pc.any(pc.not_equal(pc.binary_length(array), int(length[1]))).as_py():
            raise refused(column, f"bytes that are not {length[1]}, which the target's binary fills up with zeros")


def refuse_changed_by_postgresql(batch: pa.RecordBatch, columns: Sequence[Column], key: Sequence[str]) -> pa.RecordBatch:
    """Return a batch. Refuse texts that are too long for a varchar, and keys for a char that end with some of its spaces."""
    import pyarrow.compute as pc

    for array, column in zip(batch.columns, columns, strict=True):
        if column.kind != "VARCHAR":
            continue
        varying, fixed = _VARYING.fullmatch(column.native), _CHARACTER.fullmatch(column.native) if column.name in key else None
        if varying is not None and pc.any(pc.greater(pc.utf8_length(array), int(varying[1]))).as_py():
            raise refused(column, f"a text of more than {varying[1]} characters")
        if fixed is not None and pc.any(pc.and_(pc.ends_with(array, " "), pc.not_equal(pc.utf8_length(array), int(fixed[1])))).as_py():
            raise refused(column, "a key that ends with a space, which the target's character does not tell from one without")
    return batch
