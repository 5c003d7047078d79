"""Encodings are told from bytes, and what only shows later in a file is found out too."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import SourceError
from pdbt.engine.reading.dialect import sniff
from pdbt.engine.reading.encoding import MIXED, UTF_8, WINDOWS_1252, confirm_encoding, decode, detect_encoding, is_binary, open_text
from pdbt.engine.reading.model import ReadOptions
from tests.reading.loading import load, write

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
        assert "".join(lines) == text


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


# More than the megabyte that is read at once.
@pytest.mark.parametrize(
    ("start", "end", "encoding", "last"),
    [
        (b"n,city\n" + b"1,Paris\n" * 140_000, b"2,Orl\xe9ans\n", WINDOWS_1252, "2,Orléans\n"),
        ("n,città\n".encode() + b"1,Paris\n" * 140_000, b"2,Orl\xe9ans\n", MIXED, "2,Orléans\n"),
        ("n,città\n".encode() + "1,Forlì\n".encode() * 140_000, b"2,Orl\xe9ans\n", MIXED, "2,Orléans\n"),
        (b"n,city\n" + b"1,Paris\n" * 140_000, "2,Orléans\n".encode(), UTF_8, "2,Orléans\n"),
    ],
    ids=["plain, then windows", "almost plain, then windows", "utf-8, then one windows", "plain, then utf-8"],
)
def test_what_only_later_lines_show_is_found_out(start: bytes, end: bytes, encoding: str, last: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(start + end)
    assert sniff(path).dialect.encoding == UTF_8
    assert confirm_encoding(path) == encoding
    with open_text(path, encoding) as lines:
        assert list(lines)[-1] == last


def test_a_file_that_is_not_what_its_mark_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16") + b"\x00\xd8\x00")
    with pytest.raises(SourceError, match=r"file\.csv is not utf-16-le\."):
        sniff(path)


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
    path.write_bytes(b"a\rb\r\nc\n\nd\x0be\x85\n\xe2\x80\xa8f")
    with open_text(path, MIXED) as lines:
        assert list(lines) == ["a\r", "b\r\n", "c\n", "\n", "d\x0be…\n", "\u2028f"]


def utf_8(text: str) -> bytes:
    return text.encode()


def windows(text: str) -> bytes:
    return text.encode("cp1252")


PLAIN = b"0,Rome\n" * 60_000
TWO_ENCODINGS = "holds bytes of two encodings, UTF-8 and Windows-1252"


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (utf_8("1,José\n") + windows("2,Renée\n") + utf_8("3,Zoë\n"), ["José", "Renée", "Zoë"]),
        (windows("1,Müller\n") + PLAIN + utf_8("2,José\n") + windows("3,Renée\n"), ["Müller", "José", "Renée"]),
        (windows("1,Müller\n2,Orléans\n3,Nîmes\n") + utf_8("4,José\n"), ["Müller", "Orléans", "Nîmes", "José"]),
        (windows("1,Müller\n2,«CAFÉ»\n3,Spaß”\n4,QUALITÉ\u00a0: x\n"), ["Müller", "«CAFÉ»", "Spaß”", "QUALITÉ\u00a0: x"]),
        (utf_8("1,“so”\n") + windows("2,café”\n3,«ÉTÉ»\n"), ["“so”", "café”", "«ÉTÉ»"]),
        (utf_8('1,"José\n') + windows('Renée"\n'), ["José\nRenée"]),
    ],
    ids=["one latin-1 line", "both late", "one utf-8 line", "windows-1252 alone", "quotes and capitals", "a field over two lines"],
)
def test_each_line_of_a_file_of_two_encodings_is_read_as_its_own(content: bytes, names: list[str], tmp_path: Path) -> None:
    table = load(write(tmp_path, b"id,name\n" + content))
    assert [name for name in table.column("name") if name != "Rome"] == names


@pytest.mark.parametrize(
    "line",
    [utf_8("2,José ") + windows("Renée"), utf_8("2,Jos") + b"\xc3", b"2,Zo\xc3,", b"2,abc\xe2\x80", b"2,\xe5\xa4"],
    ids=["both in a field", "cut at the end", "cut before a delimiter", "a dash cut", "an ideograph cut"],
)
def test_a_line_that_is_of_two_encodings_is_rejected(line: bytes, tmp_path: Path) -> None:
    file = write(tmp_path, utf_8("id,name\n1,Zoë\n") + line + utf_8("\n3,b\n"))
    with pytest.raises(SourceError, match=f"^ORDERS: line 3 of data/source/orders.csv {TWO_ENCODINGS}"):
        load(file)
    table = load(file, on_error="reject")
    assert table.rows == [(1, "Zoë"), (3, "b")]
    assert [(row["line"], row["reason"]) for row in table.rejected] == [("3", TWO_ENCODINGS)]


def test_one_latin_1_byte_in_the_only_line_of_utf_8_is_not_taken_for_the_encoding_of_both(tmp_path: Path) -> None:
    table = load(write(tmp_path, utf_8("id,a,b\n1,José,") + windows("Renée\n2,x,y\n")), on_error="reject")
    assert (table.rows, table.rejected[0]["text"]) == ([(2, "x", "y")], "1,José,Ren\\xe9e")


def test_an_encoding_that_was_said_is_not_changed(tmp_path: Path) -> None:
    content = b"id,name\n1,a\n" + PLAIN + windows("2,Renée\n")
    with pytest.raises(SourceError, match=r"^ORDERS: line 60003 of data/source/orders.csv holds bytes that are not utf-8\."):
        load(write(tmp_path, content), encoding="utf-8")
    table = load(write(tmp_path, "id,name\n1,\u3042\n".encode("shift_jis") + b"2,\x81\n3,b\n"), encoding="shift_jis", on_error="reject")
    assert (table.rows, [row["line"] for row in table.rejected]) == ([(1, "\u3042"), (3, "b")], ["3"])


def test_a_header_that_is_of_two_encodings_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, utf_8("prénom,") + windows("né\n") + b"a,b\n")
    with pytest.raises(SourceError, match=r"^ORDERS: data/source/orders.csv: its header holds bytes of two encodings"):
        load(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text("abcéèüñçàôß€’“”–ÉÜÀ ", max_size=8), st.booleans()), min_size=1, max_size=8))
def test_a_text_arrives_as_it_was_or_is_rejected(tmp_path: Path, rows: list[tuple[str, bool]]) -> None:
    """Lines of either encoding: each is read as its own, or rejected; none but what only one of them has is read as the other."""
    texts = ["élevé", *(text.strip() or "x" for text, _ in rows)]
    kinds = [True, *(utf for _, utf in rows)]
    content = b"id,name\n" + b"".join(
        f"{number},{text}\n".encode("utf-8" if utf else "cp1252") for number, (text, utf) in enumerate(zip(texts, kinds, strict=True))
    )
    table = load(write(tmp_path, content), on_error="reject", delimiter=",", header=True, types={"name": "VARCHAR"})
    loaded = dict(table.rows)
    assert len(loaded) + len(table.rejected) == len(texts)
    for number, name in loaded.items():
        chance = not kinds[number] and texts[number].encode("cp1252").decode("utf-8", "replace") == name
        assert name == texts[number] or chance
