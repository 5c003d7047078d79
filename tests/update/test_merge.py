"""Merging texts: nothing of either side is lost, line ends and marks are the owner's, what is not sound is not written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdbt.scaffold.merge import is_marked, merge_texts, same_text

TEXTS = st.lists(st.sampled_from("abcdefg"), max_size=8).map(lambda letters: "".join(f"{letter}\n" for letter in letters).encode())


def merged(path: str, base: bytes, yours: bytes, new: bytes) -> bytes | None:
    found = merge_texts(path, base, yours, new, "0.1", "0.2")
    return None if found is None else found.content


@given(base=TEXTS, yours=TEXTS, new=TEXTS)
def test_no_line_of_either_side_is_lost(base: bytes, yours: bytes, new: bytes) -> None:
    found = merge_texts("README.md", base, yours, new, "0.1", "0.2")
    assert found is not None
    kept = found.content.splitlines()
    assert (set(yours.splitlines()) | set(new.splitlines())) - set(base.splitlines()) <= set(kept)
    assert is_marked(found.content) == bool(found.conflicts)


@given(base=TEXTS, edited=TEXTS)
def test_where_one_side_changed_nothing_the_other_holds(base: bytes, edited: bytes) -> None:
    assert merged("README.md", base, edited, base) == edited
    assert merged("README.md", base, base, edited) == edited
    assert merged("README.md", base, edited, edited) == edited


@given(base=TEXTS, yours=TEXTS, new=TEXTS)
def test_line_ends_are_the_owners(base: bytes, yours: bytes, new: bytes) -> None:
    plain, crlf = merged("a.py", base, yours, new), merged("a.py", base, yours.replace(b"\n", b"\r\n"), new)
    assert plain is not None
    assert crlf is not None
    assert same_text(plain, crlf)
    if yours:
        assert crlf.count(b"\r\n") == crlf.count(b"\n")


@pytest.mark.parametrize(
    ("yours", "new", "expected"),
    [
        (b"\xef\xbb\xbfa\nmine\nb\n", b"a\nb\nnew\n", b"\xef\xbb\xbfa\nmine\nb\nnew\n"),
        (b"mine\na\nb", b"a\nb\nnew\n", b"mine\na\nb\nnew\n"),
        (b"mine\na\nb", b"new\na\nb\n", b"<<<<<<< yours\nmine\n||||||| pdbt 0.1\n=======\nnew\n>>>>>>> pdbt 0.2\na\nb"),
        (b"a\r\nmine\nb\r\n", b"a\nb\nnew\n", b"a\r\nmine\nb\r\nnew\r\n"),
        (b"", b"a\nb\nnew\n", b"<<<<<<< yours\n||||||| pdbt 0.1\na\nb\n=======\na\nb\nnew\n>>>>>>> pdbt 0.2\n"),
        ("a\nmine\u2028 one line\nb\n".encode(), b"a\nb\nnew\n", "a\nmine\u2028 one line\nb\nnew\n".encode()),
    ],
    ids=["byte order mark", "no last line end", "no last line end and a conflict", "mixed line ends", "emptied", "other separators"],
)
def test_the_form_of_the_owners_file_stays(yours: bytes, new: bytes, expected: bytes) -> None:
    assert merged("README.md", b"a\nb\n", yours, new) == expected


@pytest.mark.parametrize(
    ("path", "sign"), [("a.py", "# "), ("a.sql", "-- "), (".gitignore", "# "), ("requirements.txt", "# "), ("a.md", "")]
)
def test_marks_are_comments_where_there_are_comments(path: str, sign: str) -> None:
    expected = "\n".join([f"{sign}<<<<<<< yours", "b", f"{sign}||||||| pdbt 0.1", f"{sign}a", f"{sign}=======", f"{sign}c"])
    assert merged(path, b"a\n", b"b\n", b"c\n") == f"{expected}\n{sign}>>>>>>> pdbt 0.2\n".encode()


@pytest.mark.parametrize("yours", [b"caf\xe9\n", b"\0\n"], ids=["latin-1", "zero"])
def test_what_is_no_text_is_no_merge(yours: bytes) -> None:
    assert merged("README.md", b"a\n", yours, b"new\n") is None


def test_settings_that_both_sides_set_are_no_merge() -> None:
    base, new = b"[x]\n# a\n# b\n# c\n# d\n", b"[x]\nkey = 1\n# a\n# b\n# c\n# d\n"
    assert merged("pdbt.toml", base, base + b"key = 2\n", new) is None


def test_python_that_would_not_compile_is_no_merge() -> None:
    """The owner put a line below the block, the template took the block away: neither is in the other's way, and both are no Python."""
    base, yours, new = b"if a:\n    b()\n\nc()\n", b"if a:\n    b()\n\n    c()\n", b"b()\n\nc()\n"
    assert merged("README.md", base, yours, new) == b"b()\n\n    c()\n"
    assert merged("a.py", base, yours, new) is None


def test_the_version_is_pdbts_own_line() -> None:
    base = b'[project]\nname = "a"\ntemplate_version = "0.1"  # pdbt\n\n[x]\n'
    found = merged("pdbt.toml", base, base.replace(b'"a"', b'"mine"'), base.replace(b"0.1", b"0.2"))
    assert found == b'[project]\nname = "mine"\ntemplate_version = "0.2"  # pdbt\n\n[x]\n'
