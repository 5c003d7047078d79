"""Rules: which tags a file's name has, and which tasks a tag starts, in which groups."""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from ..engine.errors import SettingsError
from ..engine.settings_rules import Rule
from .checks import BOOLEAN, COUNT, MATCHES, SECONDS, TEXT, TIMEOUT, check_keys, one_line, wrong

Kind = Literal["python", "sql", "command", "project", "dagster"]
Match = Literal["contains", "exact", "prefix", "glob", "regex"]

_PREFIXES: Mapping[str, Kind] = {"project:": "project", "dagster:": "dagster"}
RETRY_DELAY_SECONDS = 1.0
LONGEST_RETRY_DELAY_SECONDS = 3600.0
DEFAULT_GROUP = "1"
DEFAULT_LOGS = "logs"

_WORDS = Rule(
    "a text, or a list of words",
    lambda value: TEXT.fits(value) or (isinstance(value, list) and bool(value) and all(TEXT.fits(word) for word in value)),
)
_GROUP = Rule("a text or a number", lambda value: TEXT.fits(value) or COUNT.fits(value))
_PATH = Rule("a path", lambda value: TEXT.fits(value) or isinstance(value, PurePath))
TASK_KEYS: Mapping[str, Rule] = {
    "run": _WORDS,
    "group": _GROUP,
    "logs": _PATH,
    "connection": TEXT,
    "timeout": TIMEOUT,
    "retries": COUNT,
    "retry_delay": SECONDS,
}
TAG_KEYS: Mapping[str, Rule] = {
    "match": MATCHES,
    "pattern": TEXT,
    "ignore_case": BOOLEAN,
    "tasks": Rule("a list of tasks", lambda value: isinstance(value, (list, tuple)) and bool(value)),
}


@dataclass(frozen=True)
class Defaults:
    """What a task has unless it says otherwise; relative paths are taken from `base`."""

    base: Path
    logs: Path
    timeout: float = 0.0
    retries: int = 0
    retry_delay: float = RETRY_DELAY_SECONDS
    ignore_case: bool = False


@dataclass(frozen=True)
class Task:
    """What is run for a file.

    Attributes:
        run: as it was written, for people and the ledger.
        kind: what `words` are: a script, a SQL file, a command's words, a project's or a Dagster job's name.
        words: the script, file, program or name, then its arguments.
        group: the group's name; groups run one after another.
        logs: the folder of its logs, absolute.
        connection: for a SQL file, the name or the URL of its database.
        timeout: seconds; 0 means that it may take as long as it likes.
        retries: how often it is tried again after a failure.
        retry_delay: seconds before the first of these; each later one waits twice as long as the one before.
        base: the folder that relative paths are taken from.
    """

    run: str
    kind: Kind
    words: tuple[str, ...]
    group: str
    logs: Path
    base: Path
    connection: str | None = None
    timeout: float = 0.0
    retries: int = 0
    retry_delay: float = RETRY_DELAY_SECONDS

    def delay(self, attempts: int) -> float:
        """Return the seconds to wait after this many attempts."""
        return float(min(self.retry_delay * 2.0 ** min(attempts - 1, 60), LONGEST_RETRY_DELAY_SECONDS))


@dataclass(frozen=True)
class Tag:
    """A tag with its tasks.

    Attributes:
        name: what the ledger and the logs call it.
        match: how `pattern` is looked for in a file's name.
        pattern: the tag itself, unless the rule says otherwise.
        tasks: in the order in which they were written.
        ignore_case: whether capitals and small letters are the same.
    """

    name: str
    match: Match
    pattern: str
    tasks: tuple[Task, ...]
    ignore_case: bool = False

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in the order in which they first appear."""
        return tuple(dict.fromkeys(task.group for task in self.tasks))

    def fits(self, name: str) -> bool:
        """Return True if a file of this name has the tag."""
        # Some file systems keep an accent apart from its letter, as who wrote the pattern did not.
        return self._finds(self.pattern, name) or (not name.isascii() and self._finds(_composed(self.pattern), _composed(name)))

    def _finds(self, pattern: str, name: str) -> bool:
        if self.match == "regex":
            return re.search(pattern, name, re.IGNORECASE if self.ignore_case else 0) is not None
        if self.ignore_case:
            pattern, name = pattern.casefold(), name.casefold()
        if self.match == "contains":
            return pattern in name
        if self.match == "exact":
            return pattern in (name, name.partition(".")[0], name.rpartition(".")[0])
        if self.match == "prefix":
            return name.startswith(pattern)
        return fnmatch.fnmatchcase(name, pattern)


def _composed(text: str) -> str:
    """Return a text with each accent and its letter as one character."""
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class Pipeline:
    """All tags, in the order in which they were written."""

    tags: tuple[Tag, ...]

    def matching(self, name: str) -> tuple[Tag, ...]:
        """Return the tags that a file of this name has."""
        return tuple(tag for tag in self.tags if tag.fits(name))

    def task(self, tag: str, position: int, run: str) -> Task | None:
        """Find a task that was recorded under this tag: the one that runs the same, else the one now at its position, else None."""
        tasks = next((known.tasks for known in self.tags if known.name == tag), ())
        if position < len(tasks) and tasks[position].run == run:
            return tasks[position]
        same = next((task for task in tasks if task.run == run), None)
        return same or (tasks[position] if position < len(tasks) else None)


def read_pipeline(document: Any, defaults: Defaults, where: str) -> Pipeline:
    """Make a pipeline of what was written: a tag's value is a list of tasks, or a mapping with ``tasks`` and ``match``.

    Args:
        document: by tag, as TOML or Python give it; a task is ``(path, group, log folder)`` or a mapping.
        defaults: what a task has unless it says otherwise.
        where: what error texts call the document, as ``pdbt.toml: watch.tags``.

    Raises:
        SettingsError: something in it is not allowed; names the key.
    """
    if not isinstance(document, Mapping) or not document:
        raise SettingsError(f"{where} has no tags.", 'Write tasks under one: {"orders": [("load.py", "1", "logs")]}.', key=where)
    return Pipeline(tuple(_tag(name, value, defaults, f"{where}.{name}") for name, value in document.items()))


def _tag(name: object, value: Any, defaults: Defaults, where: str) -> Tag:
    if not isinstance(name, str) or not name:
        raise wrong(where, "a text, not empty", name, what="a tag")
    keys: Mapping[str, Any] = value if isinstance(value, Mapping) else {"tasks": value}
    check_keys(where, keys, TAG_KEYS)
    if "tasks" not in keys:
        raise wrong(f"{where}.tasks", TAG_KEYS["tasks"].allowed, None)
    match: Match = keys.get("match", "contains")
    pattern = keys.get("pattern", name)
    if match == "regex":
        _check_regex(pattern, where)
    tasks = tuple(_task(task, defaults, f"{where}[{number}]") for number, task in enumerate(keys["tasks"], 1))
    return Tag(name, match, pattern, tasks, keys.get("ignore_case", defaults.ignore_case))


def _check_regex(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        message = f"{where} is no regular expression: {error}."
        raise SettingsError(message, 'Use match = "glob" for names with * and ?.', key=where, received=pattern) from None


def _task(value: Any, defaults: Defaults, where: str) -> Task:
    keys = _task_keys(value, where)
    check_keys(where, keys, TASK_KEYS)
    if "run" not in keys:
        raise wrong(f"{where}.run", TASK_KEYS["run"].allowed, None)
    kind, words = _what_runs(keys["run"], defaults.base, where)
    if kind == "sql" and "connection" not in keys:
        hint = 'Add connection = "NAME" of a [connections.NAME], or a URL as "sqlite:////data/shop.sqlite".'
        raise SettingsError(f"{where}: a SQL file needs a connection.", hint, key=f"{where}.connection")
    return Task(
        run=one_line(keys["run"]),
        kind=kind,
        words=words,
        group=str(keys.get("group", DEFAULT_GROUP)),
        logs=defaults.base / Path(keys.get("logs", defaults.logs)).expanduser(),
        base=defaults.base,
        connection=keys.get("connection"),
        timeout=float(keys.get("timeout", defaults.timeout)),
        retries=keys.get("retries", defaults.retries),
        retry_delay=float(keys.get("retry_delay", defaults.retry_delay)),
    )


def _task_keys(value: Any, where: str) -> Mapping[str, Any]:
    """Return a task's keys; the short form is path, group and log folder, of which the last two may be left out."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (str, PurePath)):
        return {"run": str(value)}
    if isinstance(value, Sequence) and 1 <= len(value) <= 3:
        named = dict(zip(("run", "group", "logs"), value, strict=False))
        return {**named, "run": str(named["run"]) if isinstance(named["run"], PurePath) else named["run"]}
    raise wrong(where, "(path, group, log folder), or keys: " + ", ".join(TASK_KEYS), value)


def _what_runs(run: str | list[str], base: Path, where: str) -> tuple[Kind, tuple[str, ...]]:
    """Find out what a task is, and make the path of its script or file absolute."""
    if isinstance(run, str):
        for prefix, kind in _PREFIXES.items():
            if run.startswith(prefix):
                return kind, (run.removeprefix(prefix),)
        if _is_path(run, base):
            return _of_file(run, (), base)
    words = run if isinstance(run, list) else _split(run, where)
    return _of_file(words[0], tuple(words[1:]), base)


def _is_path(run: str, base: Path) -> bool:
    """Return True if a task is the path of a file as a whole, blanks and all, and not a command with words."""
    if (base / Path(run).expanduser()).is_file():
        return True
    first, *others = run.split()
    if not run.endswith((".py", ".sql")) or not others:
        return run.endswith((".py", ".sql"))
    # Neither is there: a path with a blank whose file is still to be written, or a command whose last word is a script.
    known = first.endswith((".py", ".sql")) or shutil.which(first) is not None
    return not known and not any((base / Path(word).expanduser()).is_file() for word in (first, others[-1]))


def _split(run: str, where: str) -> list[str]:
    try:
        words = shlex.split(run)
    except ValueError as error:
        raise SettingsError(f"{where}: {run!r} is no command: {error}.", "Close its quotes, or write a list of words.", key=where) from None
    if not words:
        raise wrong(where, "a command", run)
    return words


def _of_file(first: str, arguments: tuple[str, ...], base: Path) -> tuple[Kind, tuple[str, ...]]:
    path = base / Path(first).expanduser()
    if first.endswith(".py"):
        return "python", (str(path), *arguments)
    if first.endswith(".sql"):
        return "sql", (str(path), *arguments)
    return "command", (str(path) if "/" in first or path.is_file() else first, *arguments)
