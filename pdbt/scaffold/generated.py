"""What the templates make of a person's answers: every file that `pdbt new` brings and `pdbt update` brings anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.settings_rules import DATABASE_FILES, HIGHEST_PORT
from ..version import __version__
from .templates import read_tree, render_tree, shipped

APPEND_SUFFIX = ".append"
_ENGINE = Path(__file__).resolve().parents[1] / "engine"
# What the sample has of the templates; its data, SQL and checks come from the folder `sample`, the rest it shares with its project.
_SAMPLE_TEMPLATES = ("pdbt.toml", "data/", "db/", "scripts/", "macro/")


@dataclass(frozen=True)
class Answers:
    """What the templates use, as it was answered when the project was made; never a secret.

    Attributes:
        name: the project's name.
        database: ``duckdb``, ``sqlite`` or ``commune``.
        url: where a commune's PostgreSQL is, with ``${NAME}`` in the place of a password; None when there is none.
        port: the port of the project's Dagster.
        addons: the add-ons that were added, in order.
    """

    name: str
    database: str
    url: str | None
    port: int
    addons: tuple[str, ...] = ()


def generated_files(answers: Answers) -> dict[str, bytes]:
    """Return what this pdbt's templates, engine, sample and add-ons make of the answers: content by path, in no order."""
    files = dict(_rendered(answers, answers.name, answers.url, answers.port))
    files |= {f"scripts/engine/{path}": content for path, content in read_tree(_ENGINE)}
    files |= dict(_sample_files(answers))
    for name in answers.addons:
        files = with_addon(files, name)
    return files


def with_addon(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """Return generated files with those of an add-on, and with its lines at the end of theirs."""
    files = dict(files)
    for path, content in read_tree(addon_folder(name)):
        if path.endswith(APPEND_SUFFIX):
            place = path.removesuffix(APPEND_SUFFIX)
            files[place] = appended(files.get(place, b""), content)
        else:
            files[path] = content
    return files


def sample_script(name: str) -> str:
    """Return what a script of ``macro/`` is called in the sample, as ``dagster-run-process-sample-launch``."""
    return name.replace("-run-process", "-run-process-sample", 1)


def addon_folder(name: str) -> Path:
    """Return the templates of an add-on."""
    return shipped("templates") / "addons" / name


def known_addons() -> Sequence[str]:
    """Return the names of the add-ons that this pdbt has."""
    return sorted(folder.name for folder in addon_folder("").iterdir() if folder.is_dir())


def appended(before: bytes, addition: bytes) -> bytes:
    """Return a file's content with lines put at its end, after an empty line."""
    gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    return before + gap + addition


def _sample_files(answers: Answers) -> Iterator[tuple[str, bytes]]:
    """Yield the sample: the project's own templates with data, SQL and checks; never with its URL, so that no team's database gets them."""
    port = answers.port + 1 if answers.port < HIGHEST_PORT else answers.port - 1
    for path, content in _rendered(answers, f"{answers.name}-sample", None, port, _SAMPLE_TEMPLATES):
        yield f"sample/{sample_script(path) if path.startswith('macro/') else path}", content
    for path, content in read_tree(shipped("sample")):
        yield f"sample/{path}", content


def _rendered(answers: Answers, name: str, url: str | None, port: int, only: tuple[str, ...] = ("",)) -> Iterator[tuple[str, bytes]]:
    values = {
        "name": name,
        "database": answers.database,
        "database_file": DATABASE_FILES[answers.database],
        "url": url,
        "port": port,
        "template_version": __version__,
    }
    return render_tree(shipped("templates") / "project", values, only)
