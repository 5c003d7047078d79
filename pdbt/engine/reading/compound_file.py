"""Compound files, which xls files are: streams in chains of sectors ([MS-CFB] in the names of its fields)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_END_OF_CHAIN = 0xFFFFFFFA  # and above: no sector
_ENTRY = 128


def stream_of(data: bytes, names: Sequence[str]) -> bytes:
    """Return the first stream of one of these names.

    Raises:
        KeyError, IndexError, struct.error: there is none, or the file is damaged.
    """
    sector, mini_sector = (1 << shift for shift in struct.unpack_from("<HH", data, 30))
    directory_start, _, cutoff, mini_start, _, difat_start, _ = struct.unpack_from("<IIIIIII", data, 48)
    table = _table(data, sector, difat_start)
    directory = _chain(data, sector, table, directory_start, sector)
    entries = [directory[place : place + _ENTRY] for place in range(0, len(directory) - _ENTRY + 1, _ENTRY)]
    for entry in entries:
        name = entry[: max(0, struct.unpack_from("<H", entry, 64)[0] - 2)].decode("utf-16-le", "replace")
        if name not in names or entry[66] != 2:
            continue
        start, size = struct.unpack_from("<II", entry, 116)
        if size >= cutoff:
            return _chain(data, sector, table, start, sector)[:size]
        inner = _chain(data, sector, table, struct.unpack_from("<I", entries[0], 116)[0], sector)
        mini_table = _numbers(_chain(data, sector, table, mini_start, sector))
        return _chain(inner, mini_sector, mini_table, start, 0)[:size]
    raise KeyError(names[0])


def _table(data: bytes, sector: int, difat_start: int) -> list[int]:
    """Return the sector that follows each sector: the file's allocation table, whose own sectors a list names."""
    named = list(struct.unpack_from("<109I", data, 76))
    for _ in range(len(data) // sector):
        if difat_start >= _END_OF_CHAIN:
            break
        *more, difat_start = _numbers(data[sector * (difat_start + 1) : sector * (difat_start + 2)])
        named += more
    return [number for each in named if each < _END_OF_CHAIN for number in _numbers(data[sector * (each + 1) : sector * (each + 2)])]


def _chain(data: bytes, sector: int, table: Sequence[int], start: int, header: int) -> bytes:
    parts: list[bytes] = []
    while start < _END_OF_CHAIN and len(parts) <= len(table):
        parts.append(data[header + sector * start : header + sector * (start + 1)])
        start = table[start]
    return b"".join(parts)


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
