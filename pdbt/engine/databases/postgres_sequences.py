"""Sequences of PostgreSQL behind the columns of a table: moved past the numbers that rows brought with them.

A row that brings its number leaves the sequence where it was, and the next INSERT without one would be given a number that is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BuildError
from .names import text

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Callable[[str], list[tuple[Any, ...]]]

_SEQUENCES = """
    SELECT f.name, f.sequence::regclass::text, f.sequence::oid::bigint, seqincrement, seqmin, seqmax,
        has_sequence_privilege(f.sequence, 'SELECT') AND has_sequence_privilege(f.sequence, 'UPDATE')
    FROM (
        SELECT attname::text, objid FROM pg_attribute JOIN pg_depend ON classid = 'pg_class'::regclass
            AND refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum AND deptype = 'i'
        WHERE attrelid = to_regclass({table}) AND attidentity <> ''
        UNION
        SELECT attname::text, refobjid FROM pg_attribute JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
            JOIN pg_depend ON classid = 'pg_attrdef'::regclass AND objid = d.oid AND refclassid = 'pg_class'::regclass
        WHERE attrelid = to_regclass({table}) AND pg_get_expr(adbin, adrelid) ~ '^\\(*nextval\\('
    ) f (name, sequence) JOIN pg_sequence ON seqrelid = f.sequence ORDER BY 2
"""
# A sequence takes no part in transactions: between the look and the step another transfer could step farther.
_LOCK = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended('pdbt sequence', {oid}))) q"


@dataclass(frozen=True)
class NumberSequence:
    """A sequence that numbers a column.

    Attributes:
        column: the column.
        name: the sequence, as SQL writes it.
        oid: its number in the database.
        increment: by how much it steps; below zero for one that counts down.
        least: the least number that it gives.
        most: the greatest.
        movable: whether the user may look at it and move it.
    """

    column: str
    name: str
    oid: int
    increment: int
    least: int
    most: int
    movable: bool

    def farthest(self, values: pa.Array) -> int | None:
        """Return the number among those of a column that the sequence would reach last; None when it gives none of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not (pa.types.is_integer(values.type) or pa.types.is_decimal(values.type)):
            return None
        bounds = pc.min_max(values)
        least, most = bounds["min"].as_py(), bounds["max"].as_py()
        if least is None:
            return None
        if least < self.least or most > self.most:
            inside = [value for value in values.to_pylist() if value is not None and self.least <= value <= self.most]
            if not inside:
                return None
            least, most = min(inside), max(inside)
        return int(most) if self.increment > 0 else int(least)

    def target(self, last: int, reached: int) -> int:
        """Return the number to move to: the first of its own steps that is not before what was reached."""
        steps = -((last - reached) // self.increment)  # rounded up, whichever way it counts
        return max(self.least, min(self.most, last + steps * self.increment))


class Sequences:
    """The sequences behind a table's columns, and how far the rows that arrive reach into them."""

    def __init__(self, table: str, rows: Rows) -> None:
        """Look for them.

        Args:
            table: its name, as SQL writes it.
            rows: runs a SELECT.
        """
        found = rows(_SEQUENCES.format(table=text(table)))
        self._sequences = [NumberSequence(*row) for row in found]
        self._reached: dict[str, int] = {}

    def observe(self, columns: Iterable[tuple[str, pa.Array]]) -> None:
        """Note the numbers of some rows, each column by its name."""
        if not self._sequences:
            return
        values = dict(columns)
        for sequence in self._sequences:
            reached = sequence.farthest(values[sequence.column]) if sequence.column in values else None
            if reached is not None:
                farther = max if sequence.increment > 0 else min
                self._reached[sequence.name] = farther(reached, self._reached.get(sequence.name, reached))

    def advance(self, rows: Rows) -> None:
        """Move the sequences past what was observed, in the transaction of the rows.

        Raises:
            BuildError: one would have to be moved, and the user may not.
        """
        for sequence in self._sequences:
            if sequence.name in self._reached:
                _advance(sequence, self._reached[sequence.name], rows)
        self._reached.clear()


def _advance(sequence: NumberSequence, reached: int, rows: Rows) -> None:
    if not sequence.movable:
        ((last,),) = rows(f"SELECT pg_sequence_last_value({sequence.oid}::regclass)")
        if last is not None and (last >= reached if sequence.increment > 0 else last <= reached):
            return
        ((user,),) = rows("SELECT quote_ident(current_user)")
        raise BuildError(
            f"Rows bring the number {reached} in {sequence.column}, and {user} may not move the sequence {sequence.name} past it.",
            f"GRANT SELECT, UPDATE ON SEQUENCE {sequence.name} TO {user}",
        )
    rows(_LOCK.format(oid=sequence.oid))
    ((last, called),) = rows(f"SELECT last_value, is_called FROM {sequence.name}")
    is_behind = last < reached if sequence.increment > 0 else last > reached
    if is_behind or (last == reached and not called):
        rows(f"SELECT setval({sequence.oid}::regclass, {sequence.target(last, reached)})")
