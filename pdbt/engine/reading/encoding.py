"""Opening text files: which encoding they are in, and streams of text over plain, gzip and zstandard files."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import MissingLibrary
from .mixture import FAULTS, has_fault, is_of_utf_8, settled, single_byte

UTF_8 = "utf-8"
WINDOWS_1252 = "windows-1252"
MIXED = "utf-8 and windows-1252"
"""Lines of UTF-8 among lines of Windows-1252; a line that is of both is a fault (`mixture`)."""

_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark starts it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 1 << 20  # bytes read at once when a whole file is checked
_BYTE_FALLBACK = "pdbt-windows-1252"
_NEIGHBOURS = 3  # characters that are looked at again with those that follow
_FAULTS_OF_UTF_8 = "surrogateescape"  # gives what FAULTS gives, and is written in C
WIDE = frozenset({"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"})
"""The encodings of two and four bytes a character."""
_LEAST_ZEROS = 0.01  # of the bytes of a text in UTF-16
_CONTROLS = bytes([0, *range(3, 9), *range(14, 26), 127])  # what text does not hold; \x01, \x02 and \x1b to \x1f part fields in some files
_MOST_CONTROLS = 0.05  # of the bytes of a text
_PACKED = (
    b"PK\x03\x04",
    b"\x89PNG",
    b"%PDF-",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PAR1",
    b"\xd0\xcf\x11\xe0",
    b"SQLite format 3\0",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
)


def _decode_byte_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes at fault as Windows-1252, those that it leaves undefined as Latin-1 (what browsers do)."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(map(single_byte, error.object[error.start : error.end])), error.end


codecs.register_error(_BYTE_FALLBACK, _decode_byte_as_windows_1252)


def known_name(encoding: str) -> str:
    """Return this module's own name for an encoding that a person named.

    Raises:
        LookupError: there is no such encoding.
    """
    name = codecs.lookup(encoding).name
    return {"utf-8-sig": UTF_8, "ascii": UTF_8, "cp1252": WINDOWS_1252}.get(name, name)


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
    return wide_without_mark(head) or _eight_bit([head], complete=complete)


def is_binary(head: bytes) -> bool:
    """Say whether a file's first bytes are no text in any encoding."""
    if head.startswith(_PACKED):
        return True
    if byte_order_mark(head) or wide_without_mark(head):
        return False
    return _controls(head) > _MOST_CONTROLS * len(head)


def _controls(data: bytes) -> int:
    return len(data) - len(data.translate(None, _CONTROLS))


def wide_without_mark(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 without a mark, by its zero bytes: those of digits and ends of lines are on one side in any script."""
    sample = head[: len(head) // 4 * 4] or head
    if b"\0" not in sample:
        return None
    zeros = [sample[place::4].count(0) for place in range(4)]
    quarter = len(sample) / 4
    if zeros[3] == quarter and zeros[2] > quarter / 2 and zeros[0] < quarter / 10:
        return "utf-32-le"
    if zeros[0] == quarter and zeros[1] > quarter / 2 and zeros[3] < quarter / 10:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if max(even, odd) < len(sample) * _LEAST_ZEROS or min(even, odd) * 5 > max(even, odd):
        return None
    if max(even, odd) < quarter and sample.isascii() and not _controls(sample.replace(b"\0", b"")):
        return None  # plain letters in two bytes have a zero each: this is text with a few zeros in it
    return "utf-16-le" if odd > even else "utf-16-be"


def _eight_bit(chunks: Iterable[bytes], *, complete: bool) -> str:
    """Return UTF-8; or Windows-1252 when bytes are not; or both when other bytes prove to be UTF-8."""
    decoder = codecs.getincrementaldecoder(UTF_8)(_FAULTS_OF_UTF_8)
    faulty = proven = False
    last = ""
    for chunk in chunks:
        if chunk.isascii() and not decoder.getstate()[0] and not last:
            continue
        text = last + decoder.decode(chunk)
        last = "" if proven else text[-_NEIGHBOURS:]
        faulty = faulty or has_fault(text)
        proven = proven or is_of_utf_8(text[:-1])
        if faulty and proven:
            return MIXED
    last += decoder.decode(b"", final=complete)
    if not (faulty or has_fault(last)):
        return UTF_8
    return MIXED if proven or is_of_utf_8(last) else WINDOWS_1252


@contextlib.contextmanager
def open_text(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    r"""Open a file as lines of text that end at ``\n``, ``\r\n`` or ``\r``, kept as they are.

    A byte-order mark is left out. Bytes that Windows-1252 does not define are read as Latin-1; what is not of another encoding is kept as
    faults (`mixture.has_fault`).

    Args:
        path: the file, packed or not.
        encoding: a name of this module or one that Python's codecs know.

    Raises:
        LookupError: an unknown encoding.
    """
    with _characters(path, encoding) as lines:
        yield map(settled, lines) if encoding == MIXED else lines


@contextlib.contextmanager
def open_chunks(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """Open a file as pieces of text of about a megabyte, as `open_text` does; not for MIXED, which is read by lines."""
    with _characters(path, encoding) as stream:
        yield iter(lambda: stream.read(_CHUNK), "")


def _characters(path: Path, encoding: str) -> io.TextIOWrapper:
    codec, errors = _codec(encoding)
    stream = open_bytes(path)
    if codec in WIDE:
        marked = byte_order_mark(_read_fully(stream, 4))
        stream.close()
        stream = open_bytes(path)
        stream.read(len(marked[0]) if marked else 0)
    return io.TextIOWrapper(stream, encoding=codec, errors=errors, newline="")


def _codec(encoding: str) -> tuple[str, str]:
    """Return the codec and the treatment of faults for an encoding."""
    if encoding == MIXED:
        return "utf-8-sig", _FAULTS_OF_UTF_8
    name = codecs.lookup(encoding).name
    if name == UTF_8:
        return "utf-8-sig", _FAULTS_OF_UTF_8
    return name, _BYTE_FALLBACK if name == "cp1252" else FAULTS


def decode(data: bytes, encoding: str, *, complete: bool = True) -> str:
    """Decode a file's first bytes without its byte-order mark; a character cut off at the end is left out unless `complete`."""
    codec, errors = _codec(encoding)
    text = codecs.getincrementaldecoder(codec)(errors).decode(data, final=complete).removeprefix("\ufeff")
    return "".join(map(settled, io.StringIO(text, newline=""))) if encoding == MIXED else text


def confirm_encoding(path: Path) -> str:
    """Read a whole file whose first bytes are UTF-8 or Windows-1252 and return which it is, or that it is both."""
    with open_bytes(path) as stream:
        return _eight_bit(iter(lambda: stream.read(_CHUNK), b""), complete=True)
