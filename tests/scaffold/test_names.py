"""Names that would break something are refused with a sentence and a hint; all others are taken."""

from __future__ import annotations

import keyword
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.scaffold import NameRefused, check_name
from pdbt.scaffold.names import MAX_NAME_CHARACTERS, find_target

needs_rights = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")

REFUSED = {
    "": "The name is empty: it is no name.",
    "   ": "The name is empty: it is no name.",
    ".": "'.' names no new folder.",
    "..": "'..' names no new folder.",
    "shop/..": "'shop/..' names no new folder.",
    "shop/.": "'shop/.' names no new folder.",
    "/": "'/' names no new folder.",
    "//server/share": "'//server/share' begins with a drive or a server.",
    "C:shop": "'C:shop' begins with a drive or a server.",
    "C:\\shop": "'C:\\\\shop' begins with a drive or a server.",
    "\\\\server\\shop": "'\\\\\\\\server\\\\shop' begins with a drive or a server.",
    "data\\shop": "'data\\\\shop' holds a backslash.",
    "..\\shop": "'..\\\\shop' holds a backslash.",
    "class": "'class' is a keyword of Python.",
    "None": "'None' is a keyword of Python.",
    "LAMBDA": "'LAMBDA' is a keyword of Python.",
    "json": "'json' is a module of Python's standard library, which the folder could hide.",
    "Email": "'Email' is a module of Python's standard library, which the folder could hide.",
    "engine": "'engine' is a name that a project itself imports or reserves.",
    "test": "'test' is a name that a project itself imports or reserves.",
    "duckdb": "'duckdb' is a name that a project itself imports or reserves.",
    "CON": "'CON' is the name of a device on Windows.",
    "nul.txt": "'nul.txt' is the name of a device on Windows.",
    "Com1": "'Com1' is the name of a device on Windows.",
    "lpt9.tar.gz": "'lpt9.tar.gz' is the name of a device on Windows.",
    "aux .shop": "'aux .shop' is the name of a device on Windows.",
    "con/shop": "'con' is the name of a device on Windows.",
    "shop\n": "'shop\\n' holds the unprintable character U+000A.",
    "sh\x00op": "'sh\\x00op' holds the unprintable character U+0000.",
    "sh\x1bop": "'sh\\x1bop' holds the unprintable character U+001B.",
    "sh\u200bop": "'sh\\u200bop' holds the unprintable character U+200B.",
    "sh\u202eop": "'sh\\u202eop' holds the unprintable character U+202E.",
    "sh\xa0op": "'sh\\xa0op' holds the unprintable character U+00A0.",
    "sh\udcffop": "'sh\\udcffop' holds the unprintable character U+DCFF.",
    "shop.": "'shop.' begins or ends with a space, or ends with a dot, which some systems drop.",
    "shop ": "'shop ' begins or ends with a space, or ends with a dot, which some systems drop.",
    " shop": "' shop' begins or ends with a space, or ends with a dot, which some systems drop.",
    "-shop": "'-shop' begins with '-', which a shell takes for something else.",
    "~shop": "'~shop' begins with '~', which a shell takes for something else.",
    ".shop": "'.shop' begins with '.', which a shell takes for something else.",
    "sh:op": "'sh:op' holds :, which Windows refuses in a name.",
    'a<b>"c"|d?*': '\'a<b>"c"|d?*\' holds " * < > ? |, which Windows refuses in a name.',
    "_": "'_' holds no letter or digit.",
    "n" * 101: f"'{'n' * 101}' is 101 characters long.",
    "n" * 300: f"'{'n' * 300}' is longer than 255 bytes.",
}


@pytest.mark.parametrize("name", REFUSED, ids=[ascii(name)[:24] for name in REFUSED])
def test_a_name_that_would_break_something_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameRefused) as refused:
        find_target(name, tmp_path)
    assert refused.value.message == REFUSED[name]
    assert refused.value.hint
    assert refused.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_keywords_and_modules_are_refused_in_any_case() -> None:
    names = [*keyword.kwlist, *sorted(sys.stdlib_module_names)]
    assert [written for name in names for written in (name, name.upper()) if is_taken(written)] == []


def is_taken(name: str) -> bool:
    """Return True if a project may have a name."""
    try:
        check_name(name)
    except NameRefused:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["shop", "my-shop", "my_shop", "Mein Geschäft", "店舗", "shop.2", "2024", "match", "json2", "console", "n" * 100]
)
def test_other_names_are_taken(name: str, tmp_path: Path) -> None:
    assert find_target(name, tmp_path) == tmp_path / name


@settings(deadline=None)
@given(st.text(max_size=120))
def test_a_name_is_refused_in_one_sentence_or_is_one_part_of_a_path(name: str) -> None:
    try:
        check_name(name)
    except NameRefused as refused:
        assert "\n" not in refused.message  # noqa: PT017 - a name may be fine as well
        assert refused.hint  # noqa: PT017
    else:
        assert Path("parent", name).name == name
        assert Path("parent", name).resolve().parent == Path("parent").resolve()
        assert len(name) <= MAX_NAME_CHARACTERS
        assert name.isprintable()


def test_a_path_ends_with_the_name(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert find_target("here/shop", tmp_path) == tmp_path / "here" / "shop"
    assert find_target("not/yet/shop/", tmp_path) == tmp_path / "not" / "yet" / "shop"
    assert find_target("../shop", tmp_path / "here") == tmp_path / "shop"
    assert find_target(str(tmp_path / "shop"), tmp_path / "here") == tmp_path / "shop"


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert find_target("shop", tmp_path) == tmp_path / "shop"


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(NameRefused) as refused:
        find_target(name, folder)
    assert refused.value.hint
    return refused.value.message


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    (tmp_path / "file").touch()
    assert refusal("full", tmp_path) == "'full' exists and is not empty."
    assert refusal("file", tmp_path) == "'file' is a file."
    assert refusal("file/shop", tmp_path) == f"'file/shop' leads through {tmp_path / 'file'}, which is a file."


def test_a_symbolic_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "dangling").symlink_to(tmp_path / "nowhere")
    assert refusal("link", inside) == f"'link' is a symbolic link, to {outside}."
    assert refusal("dangling", inside) == f"'dangling' is a symbolic link, to {tmp_path / 'nowhere'}."
    assert refusal("link/shop", inside) == f"'link/shop' leads out of {inside} by a symbolic link, to {outside / 'shop'}."
    assert refusal(f"{inside}/link/shop", inside).startswith(f"'{inside}/link/shop' leads out of {inside} by a symbolic link")
    assert refusal("dangling/shop", inside).startswith("'dangling/shop' leads out of")
    assert list(outside.iterdir()) == []


def test_a_symbolic_link_that_stays_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert find_target("link/shop", tmp_path) == tmp_path / "link" / "shop"


@needs_rights
def test_a_parent_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    assert refusal("locked/shop", tmp_path) == f"'locked/shop' cannot be made: you may not write in {locked}."
    assert refusal("locked/more/shop", tmp_path) == f"'locked/more/shop' cannot be made: you may not write in {locked}."
