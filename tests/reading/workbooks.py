"""Workbooks in the formats that no library here writes: xls, xlsb and ods, as small as they may be."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

Cell = str | float | None
DIVISION_BY_ZERO = "#DIV/0!"  # the one error that these workbooks have


def write_ods(path: Path, rows: list[list[Cell]]) -> Path:
    spaces = {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }

    def cell(value: Cell) -> str:
        if value is None:
            return "<table:table-cell/>"
        if value == DIVISION_BY_ZERO:
            kind = 'office:value-type="string" office:string-value="" calcext:value-type="error"'
        else:
            kind = 'office:value-type="string"' if isinstance(value, str) else f'office:value-type="float" office:value="{value}"'
        return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    names = " ".join(f'xmlns:{name}="{space}"' for name, space in spaces.items())
    inner = f'<office:spreadsheet><table:table table:name="S">{body}</table:table></office:spreadsheet>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", f"<office:document-content {names}><office:body>{inner}</office:body></office:document-content>")
        entry = f'<m:file-entry m:full-path="/" m:media-type="{kind}"/>'
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{space}">{entry}</m:manifest>')
    return path


def write_xls(path: Path, rows: list[list[Cell]]) -> Path:
    """Write a BIFF8 workbook of one sheet into a compound file."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def cell(row: int, column: int, value: Cell) -> bytes:
        place = struct.pack("<HHH", row, column, 0)
        if value is None:
            return b""
        if value == DIVISION_BY_ZERO:
            result = struct.pack("<BBB3sH", 2, 0, 7, b"", 0xFFFF)
            formula = record(0x06, place + result + struct.pack("<HIH", 0, 0, 0))
            return formula if row % 2 else record(0x205, place + b"\x07\x01")
        if isinstance(value, str):
            return record(0x204, place + struct.pack("<HB", len(value), 0) + value.encode("latin-1"))
        return record(0x203, place + struct.pack("<d", value))

    sheet = record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))
    sheet += record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0))
    sheet += b"".join(cell(row, column, value) for row, cells in enumerate(rows) for column, value in enumerate(cells))
    sheet += record(0x0A, b"")
    head = record(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 0)) + record(0x42, struct.pack("<H", 1200))
    start = len(head) + 4 + 9 + 4
    book = head + record(0x85, struct.pack("<IBBBB", start, 0, 0, 1, 0) + b"S") + record(0x0A, b"") + sheet
    path.write_bytes(_compound_file(book.ljust(4096 * (len(book) // 4096 + 1), b"\0")))
    return path


def _compound_file(stream: bytes) -> bytes:
    """Put a stream Workbook of whole sectors into a compound file: allocation table, directory, stream."""
    sectors = len(stream) // 512
    end, free = 0xFFFFFFFE, 0xFFFFFFFF
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH6xIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, end, 0, end, 0, 0)
    )
    header += struct.pack("<108I", *[free] * 108)
    table = [0xFFFFFFFD, end, *range(3, sectors + 2), end]
    table += [free] * (128 - len(table))

    def entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
        text = name.encode("utf-16-le") + b"\0\0" if name else b""
        return text.ljust(64, b"\0") + struct.pack("<HBBIII36xIQ", len(text), kind, 1, free, free, child, first, size)

    directory = entry("Root Entry", 5, 1, end, 0) + entry("Workbook", 2, free, 2, len(stream)) + 2 * entry("", 0, free, 0, 0)
    return header + struct.pack("<128I", *table) + directory + stream


def write_xlsb(path: Path, rows: list[list[Cell]]) -> Path:
    """Write a workbook of binary records of one sheet."""

    def record(kind: int, data: bytes = b"") -> bytes:
        number = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
        size, length = b"", len(data)
        while True:
            size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
            length >>= 7
            if not length:
                return number + size + data

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode("utf-16-le")

    def cell(column: int, value: Cell) -> bytes:
        place = struct.pack("<II", column, 0)
        if value is None:
            return b""
        if value == DIVISION_BY_ZERO:
            return record(3, place + b"\x07")
        return record(6, place + text(value)) if isinstance(value, str) else record(5, place + struct.pack("<d", value))

    sheet = record(129) + record(148, struct.pack("<IIII", 0, len(rows), 0, 9)) + record(145)
    for row, cells in enumerate(rows):
        sheet += record(0, struct.pack("<I", row) + bytes(13)) + b"".join(cell(column, value) for column, value in enumerate(cells))
    book = record(131) + record(143) + record(156, struct.pack("<II", 0, 1) + text("rId1") + text("S")) + record(144) + record(132)
    space = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{space}/content-types"/>')
        relations = f'<Relationships xmlns="{space}/relationships"><Relationship Id="rId1" Type="{office}/%s" Target="%s"/></Relationships>'
        archive.writestr("_rels/.rels", relations % ("officeDocument", "xl/workbook.bin"))
        archive.writestr("xl/_rels/workbook.bin.rels", relations % ("worksheet", "worksheets/sheet1.bin"))
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/worksheets/sheet1.bin", sheet + record(146) + record(130))
    return path
