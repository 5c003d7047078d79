"""Bytes that are not of a text's encoding: kept as faults while it is decoded, and settled line by line where two encodings are mixed.

A line that is UTF-8 is read as such, one that is not as Windows-1252. A line with characters of UTF-8 and other bytes besides keeps its
faults: which of the two it is cannot be known, so its row is rejected.
"""

from __future__ import annotations

import codecs
import re

FAULTS = "pdbt-faults"
"""The treatment of faults that keeps each byte as a character that no text has: half a surrogate pair."""

_FIRST = 0xDC00
_FAULT = re.compile("[\udc00-\udcff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f\udc00-\udcff]")
_UNDEFINED_IN_WINDOWS_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_CLOSING = frozenset(b"\x85\x92\x93\x94\x96\x97\x99\x9b\xae\xb0\xb2\xb3\xb4\xb9\xbb")
"""Windows-1252's characters that follow a word directly: closing quotes, dashes, an ellipsis, superscripts."""
_NO_BREAK_SPACE = 0xA0
_SPACED_IN_FRENCH = "!:;?%\u00bb\udcbb"
_WITHIN = "".join(chr(_FIRST + byte) for byte in range(0x80, 0xC0) if byte not in _CLOSING and byte != _NO_BREAK_SPACE)
_CUT_SHORT = re.compile(f"[\udce2-\udcf4][{_WITHIN}]|[a-z][\udcc2-\udcde](?![A-Za-z\udc80-\udcff])")
"""A character of UTF-8 without its last bytes, as a program leaves it that cuts texts by their bytes."""


def _keep_fault(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_FIRST + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(FAULTS, _keep_fault)


def single_byte(byte: int) -> str:
    """Return a byte's character in Windows-1252, or, where that leaves it undefined, in Latin-1 (as browsers do)."""
    return bytes([byte]).decode("latin-1" if byte in _UNDEFINED_IN_WINDOWS_1252 else "cp1252")


def has_fault(text: str) -> bool:
    """Return True if a text holds bytes that are not of its encoding."""
    return not text.isascii() and _FAULT.search(text) is not None


def readable(text: str) -> str:
    r"""Write the faults of a text as ``\xe9``."""
    return _FAULT.sub(lambda fault: f"\\x{ord(fault[0]) - _FIRST:02x}", text)


def settled(line: str) -> str:
    """Return a line of a file that mixes UTF-8, as which it was decoded, and Windows-1252; it has faults only when it is of both."""
    if not has_fault(line) or _CUT_SHORT.search(line) or is_of_utf_8(line):
        return line
    return "".join(map(single_byte, line.encode("utf-8", "surrogateescape")))


def is_of_utf_8(line: str) -> bool:
    """Return True if a line has a character of UTF-8 whose bytes would hardly be Windows-1252 by chance."""
    return not line.isascii() and any(not _by_chance(line, found.start()) for found in _NOT_ASCII.finditer(line))


def _by_chance(line: str, place: int) -> bool:
    """Return True if the bytes of a character of UTF-8 are as likely two of Windows-1252: a word's last letter and what closes it.

    ``\u00c9\u00bb``, at the end of ``\u00abCAF\u00c9\u00bb``, are the bytes of U+027B.
    """
    character, before, after = line[place], line[max(0, place - 1) : place], line[place + 1 : place + 2]
    first, *others = character.encode()
    if character <= "\xff" or after.isalnum() or (before.islower() and single_byte(first).isupper()):
        return False
    return all(byte in _CLOSING or (byte == _NO_BREAK_SPACE and after and after in _SPACED_IN_FRENCH) for byte in others)
