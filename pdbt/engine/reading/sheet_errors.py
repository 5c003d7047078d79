"""Error cells of spreadsheets (``#DIV/0!``), which python-calamine gives as empty: found in the file itself.

Each format has them in a place of its own: the XML of xlsx and ods, the records of xlsb and xls.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

Cells = dict[tuple[int, int], str]
"""Errors by row and column of the sheet, both from 0."""

_CODES = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A", 0x2B: "#GETTING_DATA",
}  # fmt: skip
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_REFERENCE = re.compile("([A-Z]+)([0-9]+)")
_CHUNK = 1 << 20
_MOST_REPEATED = 1 << 14  # columns, or rows, that one element of an ods file stands for; more are only what is left of the sheet


def error_cells(path: Path, sheet: int) -> Cells:
    """Return the error cells of a sheet.

    Args:
        path: the file.
        sheet: the sheet's place among all sheets of the file.

    Raises:
        OSError, zipfile.BadZipFile, KeyError, IndexError, ValueError, struct.error, ElementTree.ParseError: the file is damaged.
    """
    kind = path.suffix.lower()
    if kind == ".xls":
        return dict(_of_records(path.read_bytes(), sheet))
    with zipfile.ZipFile(path) as archive:
        if kind == ".ods":
            return dict(_of_ods(archive, sheet))
        workbook = _target(archive, "", "officeDocument")
        if kind == ".xlsb":
            return dict(_of_xlsb(archive, workbook, sheet))
        with archive.open(workbook) as stream:
            found = [element for event, element in _elements(stream) if event == "start" and _name(element) == "sheet"]
        relation = found[sheet].get(_RELATION) or found[sheet].get(_STRICT_RELATION) or ""
        part = _target(archive, workbook, relation)
        with archive.open(part) as stream:
            some = _holds(stream, re.compile(rb"""\st=["']e["']"""))
        if not some:
            return {}
        with archive.open(part) as stream:
            return dict(_of_xlsx(stream))


def cell_name(row: int, column: int) -> str:
    """Return a cell's name as spreadsheets show it, of its row and column from 0: ``B3``."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _elements(stream: IO[bytes]) -> Iterator[tuple[str, ElementTree.Element]]:
    return ElementTree.iterparse(stream, ("start", "end"))  # noqa: S314 - see the import


def _holds(stream: IO[bytes], pattern: re.Pattern[bytes]) -> bool:
    before = b""
    while chunk := stream.read(_CHUNK):
        if pattern.search(before + chunk):
            return True
        before = chunk[-32:]
    return False


def _target(archive: zipfile.ZipFile, source: str, wanted: str) -> str:
    """Return the part of a package that a relation leads to, by its name or by the end of its type."""
    folder, name = posixpath.split(source)
    with archive.open(posixpath.join(folder, "_rels", f"{name}.rels")) as stream:
        for _, relation in _elements(stream):
            if relation.get("Id") == wanted or relation.get("Type", "").endswith(f"/{wanted}"):
                return posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
    raise KeyError(wanted)


def _of_xlsx(stream: IO[bytes]) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the cells of the type ``e``; rows and cells without a name follow the ones before them."""
    row = column = -1
    for event, element in _elements(stream):
        name = _name(element)
        if event == "start" and name == "row":
            row, column = int(element.get("r", row + 2)) - 1, -1
        elif event == "start" and name == "c":
            reference = _REFERENCE.fullmatch(element.get("r", ""))
            column = _column(reference[1]) if reference else column + 1
        elif event == "end" and name == "c" and element.get("t") == "e":
            yield (row, column), next((child.text or "" for child in element if _name(child) == "v"), "")
        elif event == "end" and name == "row":
            element.clear()


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _of_ods(archive: zipfile.ZipFile, sheet: int) -> Iterator[tuple[tuple[int, int], str]]:
    with archive.open("content.xml") as stream:
        if not _holds(stream, re.compile(rb"""value-type=["']error["']""")):
            return
    with archive.open("content.xml") as stream:
        table, row, column, rows = -1, 0, 0, 1
        for event, element in _elements(stream):
            name = _name(element)
            if event == "start" and name == "table":
                table, row = table + 1, 0
            elif event == "start" and name == "table-row":
                column, rows = 0, _repeated(element, "rows")
            elif event == "end" and name in ("table-cell", "covered-table-cell"):
                cells, most = _repeated(element, "columns"), _MOST_REPEATED
                if table == sheet and any(key.endswith("}value-type") and value == "error" for key, value in element.items()):
                    text = "".join(element.itertext())
                    yield from (
                        ((row + down, column + right), text) for down in range(min(rows, most)) for right in range(min(cells, most))
                    )
                column += cells
            elif event == "end" and name == "table-row":
                row += rows
                element.clear()


def _repeated(element: ElementTree.Element, what: str) -> int:
    return next((int(value) for key, value in element.items() if key.endswith(f"}}number-{what}-repeated")), 1)


def _of_xlsb(archive: zipfile.ZipFile, workbook: str, sheet: int) -> Iterator[tuple[tuple[int, int], str]]:
    sheets = [data for kind, data in _xlsb_records(archive.read(workbook)) if kind == 156]  # BrtBundleSh
    (length,) = struct.unpack_from("<I", sheets[sheet], 8)
    relation = sheets[sheet][12 : 12 + 2 * length].decode("utf-16-le")
    row = 0
    for kind, data in _xlsb_records(archive.read(_target(archive, workbook, relation))):
        if kind == 0:  # BrtRowHdr
            (row,) = struct.unpack_from("<I", data)
        elif kind in (3, 11):  # BrtCellError, BrtFmlaError
            column, _, code = struct.unpack_from("<IIB", data)
            yield (row, column), _CODES.get(code, "#ERROR")


def _xlsb_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data):
        kind, place = _packed(data, place, 2)
        size, place = _packed(data, place, 4)
        yield kind, data[place : place + size]
        place += size


def _packed(data: bytes, place: int, longest: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and the place after it."""
    number = 0
    for position in range(longest):
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            break
    return number, place


def _of_records(data: bytes, sheet: int) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the error cells of an xls file: BoolErr records, and formulas whose result is an error."""
    from .compound_file import stream_of

    book = stream_of(data, ("Workbook", "Book"))
    starts = [struct.unpack_from("<I", record)[0] for kind, record in _xls_records(book, 0) if kind == 0x85]
    for kind, record in _xls_records(book, starts[sheet]):
        if kind == 0x205 and record[7]:
            row, column, _, code, _ = struct.unpack_from("<HHHBB", record)
        elif kind == 0x06 and record[12:14] == b"\xff\xff" and record[6] == 2:
            row, column, _, _, _, code = struct.unpack_from("<HHHBBB", record)
        else:
            continue
        yield (row, column), _CODES.get(code, "#ERROR")


def _xls_records(book: bytes, place: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records from a place to the end of what begins there."""
    while place + 4 <= len(book):
        kind, size = struct.unpack_from("<HH", book, place)
        if kind == 0x0A:
            return
        yield kind, book[place + 4 : place + 4 + size]
        place += 4 + size
