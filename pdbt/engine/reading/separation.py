"""How one line of text is cut into fields: the part of a dialect that the tokeniser needs."""

from __future__ import annotations

from dataclasses import dataclass

NO_DELIMITER = "\x1f"
"""Stands for "no delimiter" in a file of one column: ASCII's own unit separator, which text does not hold."""


@dataclass(frozen=True)
class Separation:
    r"""How fields are separated and quoted.

    Attributes:
        delimiter: one or more characters; NO_DELIMITER in a file of one column; a space when `spacing` is set.
        quote: ``"`` or ``'``.
        escape: the quote itself (doubling), or a backslash.
        trim: spaces around every field are padding of the file, not part of the values.
        spacing: None; or how a space-aligned file is cut: ``runs`` of white space, ``gaps`` of two or more, ``fixed`` at `gaps`.
        gaps: the positions (start, end) of the spaces between columns, for ``fixed``.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    trim: bool = False
    spacing: str | None = None
    gaps: tuple[tuple[int, int], ...] = ()
