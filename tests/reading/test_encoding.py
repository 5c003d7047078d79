"""Encodings are told from bytes, and what only shows later in a file is found out too."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.dialect import sniff
from pdbt.engine.reading.encoding import MIXED, UTF_8, WINDOWS_1252, confirm_encoding, decode, detect_encoding, is_binary, open_text
from pdbt.engine.reading.model import ReadOptions

LINES = {
    "plain letters": "id,city\n1,Paris\n2,Rome\n",
    "western": "id,ville\n1,Orléans – « café »\n2,Malmö\n",
    "greek": "id,πόλη\n1,Αθήνα\n2,Πάτρα\n",
    "japanese": "番号,都市\n1,東京\n2,大阪市\n",
    "emoji": "id,mood\n1,😀\n2,🎉🎉\n",
}


@pytest.mark.parametrize("text", LINES.values(), ids=LINES.keys())
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_unicode_is_told_with_and_without_a_mark(text: str, codec: str, tmp_path: Path) -> None:
    content = text.encode(codec)
    encoding = detect_encoding(content, complete=True)
    assert decode(content, encoding) == text
    assert not is_binary(content)
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with open_text(path, encoding) as lines:
        assert lines.read() == text


@settings(max_examples=50)
@given(st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=60), st.integers(1, 20))
def test_windows_1252_is_read_as_it_was_written(text: str, cut: int) -> None:
    content = f"città;n\n{text};5\nà;6\n".encode("cp1252")
    encoding = detect_encoding(content, complete=True)
    if encoding == WINDOWS_1252:
        assert decode(content, encoding) == f"città;n\n{text};5\nà;6\n"
    head = content[:-cut]
    if detect_encoding(head) == WINDOWS_1252:
        assert decode(head, WINDOWS_1252, complete=False) in content.decode("cp1252")


def test_bytes_that_windows_1252_leaves_undefined_are_read_as_latin_1() -> None:
    assert decode(b"a\x81\x8d\x8f\x90\x9d\x80", WINDOWS_1252) == "a\x81\x8d\x8f\x90\x9d€"


def test_a_character_that_the_sample_cuts_is_no_fault() -> None:
    content = "é€😀".encode()
    assert {detect_encoding(b"abc" + content[:size]) for size in range(len(content) + 1)} == {UTF_8}
    assert detect_encoding(b"abc" + content[:1], complete=True) == WINDOWS_1252


@pytest.mark.parametrize(
    ("start", "end", "encoding", "last"),
    [
        (b"n,city\n" + b"1,Paris\n" * 200_000, b"2,Orl\xe9ans\n", WINDOWS_1252, "2,Orléans\n"),
        ("n,città\n".encode() + b"1,Paris\n" * 200_000, b"2,Orl\xe9ans\n", WINDOWS_1252, "2,Orléans\n"),
        ("n,città\n".encode() + "1,Forlì\n".encode() * 200_000, b"2,Orl\xe9ans\n", MIXED, "2,Orléans\n"),
        (b"n,city\n" + b"1,Paris\n" * 200_000, "2,Orléans\n".encode(), UTF_8, "2,Orléans\n"),
    ],
    ids=["plain, then windows", "almost plain, then windows", "utf-8, then one windows", "plain, then utf-8"],
)
def test_what_only_later_lines_show_is_found_out(start: bytes, end: bytes, encoding: str, last: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(start + end)
    assert sniff(path).dialect.encoding == UTF_8
    assert confirm_encoding(path, UTF_8) == encoding
    with open_text(path, encoding) as lines:
        assert list(lines)[-1] == last


def test_a_file_that_is_not_what_its_mark_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16") + b"\x00\xd8\x00")
    with pytest.raises(SourceError, match=r"file\.csv is not utf-16-le all through"):
        confirm_encoding(path, "utf-16-le")


def test_an_encoding_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="there is no encoding 'utf-9'"):
        sniff(path, ReadOptions(encoding="utf-9"))


@pytest.mark.parametrize("said", ["utf-8", "UTF8", "utf_8_sig", "ascii"])
def test_names_of_utf_8_are_one(said: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("a,b\n1,2\n")
    assert sniff(path, ReadOptions(encoding=said)).dialect.plain


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"PK\x03\x04\x14\x00",
        b"%PDF-1.7\n%\xe2\xe3",
        gzip.compress(b"a,b\n"),
        bytes(range(256)) * 4,
        b"\0" * 64,
    ],
    ids=["png", "zip", "pdf", "gzip", "bytes", "zeros"],
)
def test_what_is_no_text_is_refused_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"file\.csv is not a text file"):
        sniff(path)


def test_a_damaged_archive_raises_what_readers_expect(tmp_path: Path) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:40])
    with pytest.raises((EOFError, OSError, zlib.error)):
        sniff(path)


def test_lines_keep_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a\rb\r\nc\n\nd\x0be\x85\xe2\x80\xa8f")
    with open_text(path, MIXED) as lines:
        assert list(lines) == ["a\r", "b\r\n", "c\n", "\n", "d\x0be…\u2028f"]
