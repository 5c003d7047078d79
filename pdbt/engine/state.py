"""What the last run left: how each table was made, so that the next one knows what is still right.

Two files share the format: ``state.json`` speaks of the published database, ``work.json`` of the work database. Each carries
the token of the database that it describes, and is believed only while the database still answers with that token. A publication
writes ``work.json``, renames the database, then renames ``work.json`` over ``state.json``; killed between the two
renames, the tokens tell the next run that ``work.json`` speaks of what is now published.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .files import Stamp, write_durably
from .outside.model import NOTHING, Outside

FORMAT = 1


@dataclass
class TableState:
    """How a table in a database came to be.

    Attributes:
        definition: what it was made from, by aspect (text, parameters, files, options), each as a short text.
        inputs: the versions of the tables that it was made from.
        version: an identifier of this making of it.
        rows: its number of rows.
        rejected: source rows set aside.
        notes: what was found out while its source was read.
    """

    definition: dict[str, str]
    inputs: dict[str, str]
    version: str
    rows: int
    rejected: int = 0
    notes: list[str] = field(default_factory=list)

    def copy(self) -> TableState:
        """Return a state that can change without this one."""
        return replace(self, definition=dict(self.definition), inputs=dict(self.inputs), notes=list(self.notes))


@dataclass(frozen=True)
class ExportState:
    """A file that was written from a table: the table's version, and the file's token."""

    version: str
    token: str


@dataclass(frozen=True)
class References:
    """The tables that a SQL text reads, as (schema, name) pairs, and whether a parser said so or a guess by their place."""

    exact: bool
    tables: list[tuple[str, str]]


@dataclass(frozen=True)
class Select:
    """The SELECT of a file.

    Attributes:
        start: where in the file's text it begins.
        end: where it ends.
        reads: the tables that it reads.
        parameters: the names of its ``$name`` parameters, in order.
        outside: what it reads besides tables.
    """

    start: int
    end: int
    reads: References
    parameters: tuple[str, ...] = ()
    outside: Outside = NOTHING


@dataclass
class State:
    """What is known of one database.

    Attributes:
        token: identifies the database that this state describes; empty while there is none.
        base: the token of the published database that a work database began from.
        tables: by name.
        checks: for each check that passed, its text's hash and the versions that it saw.
        exports: by path relative to the project.
        stamps: of source files, by path relative to the project.
        references: the tables that a SQL text reads, by the text's hash.
        selects: what the text of a file was found to be, by the hash of it and of all that this depends on.
    """

    token: str = ""
    base: str = ""
    tables: dict[str, TableState] = field(default_factory=dict)
    checks: dict[str, dict[str, str]] = field(default_factory=dict)
    exports: dict[str, ExportState] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    references: dict[str, References] = field(default_factory=dict)
    selects: dict[str, Select] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        # ASCII, because a file's name may be no Unicode at all.
        # `vars` is what the parts are made of: `asdict` would copy all of it first.
        write_durably(path, json.dumps({"format": FORMAT, **vars(self)}, separators=(",", ":"), default=vars))

    def copy(self) -> State:
        """Return a state that can change without this one."""
        return State(
            self.token,
            self.base,
            {name: table.copy() for name, table in self.tables.items()},
            {name: dict(seen) for name, seen in self.checks.items()},
            dict(self.exports),
            dict(self.stamps),
            dict(self.references),
            dict(self.selects),
        )


def load_state(path: Path) -> State | None:
    """Read a state; None when there is none, or none that this version can use (all is then made again)."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") == FORMAT:
            return _from_document(document)
    return None


def text_hash(text: str) -> str:
    """Return the hash by which a text is known."""
    return hashlib.sha256(text.encode()).hexdigest()


# Reading --------------------------------------------------------------------------------------------------------------
# A state steers what a run leaves as it is, so that nothing in it is taken on trust: whatever is no state raises one of the
# errors that `load_state` knows.


def _from_document(document: dict[str, Any]) -> State:
    return State(
        token=_text(document["token"]),
        base=_text(document["base"]),
        tables={name: _table(entry) for name, entry in document["tables"].items()},
        checks={name: _texts(entry) for name, entry in document["checks"].items()},
        exports={path: ExportState(_text(entry["version"]), _text(entry["token"])) for path, entry in document["exports"].items()},
        stamps={path: _stamp(entry) for path, entry in document["stamps"].items()},
        references={digest: _references(entry) for digest, entry in document["references"].items()},
        # A state that an older engine wrote has none, and is as good.
        selects={digest: _select(entry) for digest, entry in document.get("selects", {}).items()},
    )


def _table(entry: dict[str, Any]) -> TableState:
    return TableState(
        definition=_texts(entry["definition"]),
        inputs=_texts(entry["inputs"]),
        version=_text(entry["version"]),
        rows=_number(entry["rows"]),
        rejected=_number(entry["rejected"]),
        notes=[_text(note) for note in _list(entry["notes"])],
    )


def _stamp(entry: dict[str, Any]) -> Stamp:
    size, modified, changed, inode = _list(entry["stat"])
    return Stamp((_number(size), _number(modified), _number(changed), _number(inode)), _text(entry["sha256"]), _number(entry["taken"]))


def _references(entry: dict[str, Any]) -> References:
    if not isinstance(entry["exact"], bool):
        raise TypeError(entry)
    return References(entry["exact"], [(_text(schema), _text(name)) for schema, name in map(_list, _list(entry["tables"]))])


def _select(entry: dict[str, Any]) -> Select:
    outside = entry["outside"]
    if not isinstance(outside["day"], bool):
        raise TypeError(outside)
    return Select(
        _number(entry["start"]),
        _number(entry["end"]),
        _references(entry["reads"]),
        _row(entry["parameters"]),
        Outside(_text(outside["always"]), outside["day"], _row(outside["files"]), environment=_row(outside["environment"])),
    )


def _row(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(value)
    return list(value)


def _texts(value: dict[str, object]) -> dict[str, str]:
    return {key: _text(text) for key, text in value.items()}
