"""Opening text files: which encoding they are in, and streams of text over plain, gzip and zstandard files."""

from __future__ import annotations

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import MissingLibrary, SourceError

UTF_8 = "utf-8"
WINDOWS_1252 = "windows-1252"
LATIN_1 = "latin-1"
MIXED = "utf-8 and windows-1252"
"""UTF-8 in which some bytes are not: those alone are read as Windows-1252."""

_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark starts it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 1 << 20  # bytes read at once when a whole file is checked
_UNDEFINED_IN_WINDOWS_1252 = b"\x81\x8d\x8f\x90\x9d"
_BYTE_FALLBACK = "pdbt-windows-1252"


def _decode_byte_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes at fault as Windows-1252, those that it leaves undefined as Latin-1 (what browsers do)."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    text = "".join(_single_byte(error.object[position : position + 1]) for position in range(error.start, error.end))
    return text, error.end


def _single_byte(byte: bytes) -> str:
    return byte.decode("latin-1" if byte in _UNDEFINED_IN_WINDOWS_1252 else "cp1252")


codecs.register_error(_BYTE_FALLBACK, _decode_byte_as_windows_1252)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, unpacking ``.gz`` and ``.zst`` on the way; memory is bounded.

    Raises:
        OSError: the file cannot be opened.
        MissingLibrary: a ``.zst`` file without pyarrow.
    """
    ending = path.suffix.lower()
    if ending == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if ending == ".zst":
        try:
            import pyarrow as arrow
        except ModuleNotFoundError as error:
            raise MissingLibrary("pyarrow", f"Reading {path.name}") from error
        return cast("BinaryIO", arrow.CompressedInputStream(arrow.OSFile(str(path)), "zstd"))
    return path.open("rb")


def read_head(path: Path, size: int) -> bytes:
    """Return the first `size` unpacked bytes of a file, all of them when it is smaller."""
    with open_bytes(path) as stream:
        return _read_fully(stream, size)


def _read_fully(stream: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0:
        part = stream.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def byte_order_mark(head: bytes) -> tuple[bytes, str] | None:
    """Return the mark that a file starts with and the encoding it announces; None without one."""
    return next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), None)


def detect_encoding(head: bytes, *, complete: bool = False) -> str:
    """Name the encoding of a file from its first bytes.

    Args:
        head: the first bytes, unpacked.
        complete: `head` is the whole file, so a character cut off at its end is a fault and not the sample's edge.
    """
    marked = byte_order_mark(head)
    if marked:
        return marked[1]
    wide = _wide_without_mark(head)
    if wide:
        return wide
    return _eight_bit(head, complete=complete)


def _wide_without_mark(head: bytes) -> str | None:
    """Tell UTF-16 or UTF-32 without a mark by where its zero bytes fall; None when it is neither."""
    sample = head[: len(head) // 4 * 4]
    if len(head) < 4 or b"\0" not in head:
        return None
    zeros = [sample[place::4].count(0) / max(1, len(sample) // 4) for place in range(4)]
    high, low = 0.7, 0.1
    if min(zeros[1:]) > high and zeros[0] < low:
        return "utf-32-le"
    if min(zeros[:3]) > high and zeros[3] < low:
        return "utf-32-be"
    return None


def _eight_bit(head: bytes, *, complete: bool) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, final=complete)
    except UnicodeDecodeError:
        return WINDOWS_1252
    return UTF_8


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    r"""Open a file as a stream of text whose lines end at ``\n``, ``\r\n`` or ``\r``, kept as they are.

    A byte-order mark is left out. Bytes that Windows-1252 does not define are read as Latin-1.

    Args:
        path: the file, packed or not.
        encoding: a name of this module or one that Python's codecs know.

    Raises:
        UnicodeDecodeError: while reading, when the bytes are not of that encoding.
        LookupError: an unknown encoding.
    """
    codec, errors = _codec(encoding)
    stream = open_bytes(path)
    text = io.TextIOWrapper(stream, encoding=codec, errors=errors, newline="")
    return text


def _codec(encoding: str) -> tuple[str, str]:
    if encoding == MIXED:
        return UTF_8, _BYTE_FALLBACK
    name = codecs.lookup(encoding).name
    return name, _BYTE_FALLBACK if name == "cp1252" else "strict"


def decode(data: bytes, encoding: str, *, complete: bool = True) -> str:
    """Decode a file's first bytes without its byte-order mark; a character cut off at the end is left out unless `complete`."""
    codec, errors = _codec(encoding)
    return codecs.getincrementaldecoder(codec)(errors).decode(data, final=complete).removeprefix("\ufeff")


def confirm_encoding(path: Path, encoding: str) -> str:
    """Read a whole file and return the encoding that all of it is in: the given one where possible.

    Raises:
        SourceError: the file is not text of that encoding, and it is not one that could be mistaken for UTF-8.
    """
    raise SourceError(f"{path.name} is not {encoding}.", path=str(path))
