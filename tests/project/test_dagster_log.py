"""The log of a project's Dagster, followed."""

from __future__ import annotations

from pathlib import Path

from pdbt.project import dagster_log


def test_what_is_logged_while_the_end_is_being_read_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "pdbt.toml").write_text("[nonsense]\n", encoding="utf-8")  # when one may want to see the log most
    log = tmp_path / "macro" / "dagster.log"
    log.parent.mkdir()
    log.write_text("one\ntwo\nthree\n", encoding="utf-8")
    texts = dagster_log(tmp_path, 2, following=True)
    assert next(texts) == "two\nthree\n"
    with log.open("a", encoding="utf-8") as file:
        file.write("fünf\n")  # nobody has asked for more yet
    assert next(texts) == "fünf\n"
