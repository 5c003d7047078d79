"""The watcher's settings: ``[watch]`` of pdbt.toml or of a file of its own, or a dict, checked."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..engine.environment import ENVIRONMENT_FILE, Environment
from ..engine.errors import SettingsError
from ..engine.notices import Sender
from ..engine.settings import FILE_NAME
from ..engine.settings_rules import NOTIFY_ON, SECTIONS, Rule, one_of
from ..engine.toml import read_toml
from .checks import BOOLEAN, COUNT, DAYS, INTERVAL, POSITIVE, SECONDS, TEXT, TIMEOUT, check_keys, wrong
from .protection import ignores_case, own_files, require_expendable
from .rules import DEFAULT_LOGS, RETRY_DELAY_SECONDS, Defaults, Pipeline, read_pipeline

Unmatched = Literal["log", "delete", "move"]

SECTION = "watch"
GRACE_SECONDS = 30.0
RESCAN_SECONDS = 60.0
POLL_SECONDS = 2.0
KEEP_DAYS = 90.0
STATE_FOLDER = ".pdbt/watch"

KEYS: Mapping[str, Rule] = {
    "folder": TEXT,
    "recursive": BOOLEAN,
    "existing": BOOLEAN,
    "unmatched": one_of("log", "delete", "move"),
    "unmatched_folder": TEXT,
    "ignore_case": BOOLEAN,
    "max_workers": POSITIVE,
    "grace": SECONDS,
    "settle": SECONDS,
    "rescan": INTERVAL,
    "poll": INTERVAL,
    "polling": BOOLEAN,
    "keep_days": DAYS,
    "state": TEXT,
    "logs": TEXT,
    "timeout": TIMEOUT,
    "retries": COUNT,
    "retry_delay": SECONDS,
    "tags": Rule("a section for each tag: [watch.tags.NAME]", lambda value: isinstance(value, dict)),
}


def number_of_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class WatchSettings:
    """How one folder is watched.

    Attributes:
        folder: what is watched, absolute.
        pipeline: which tasks a file starts.
        base: the folder of the settings; relative paths are taken from it.
        state: the folder of the ledger.
        recursive: whether folders below are watched too.
        existing: whether files that are there at the first start are handled.
        unmatched: what becomes of a file that no tag matches.
        unmatched_folder: where such files are moved, for ``move``.
        max_workers: how many tasks run at once.
        grace: seconds that running tasks have to end when the watcher stops.
        settle: seconds that a file must lie still before it counts as complete, beyond what the system tells.
        rescan: seconds between two looks at the whole folder.
        poll: seconds between two looks where the system tells of no events.
        keep_days: how long a file that is gone, or has new content, stays in the ledger after its last task.
        polling: whether to poll; None means only on a network file system.
        connections: URLs by name, with ``${NAME}`` not filled in yet.
        sender: who is told when a task fails; None means nobody.
        own: files and folders that the watcher itself needs, each with what it is; they are never put away.
    """

    folder: Path
    pipeline: Pipeline
    base: Path
    state: Path
    recursive: bool = False
    existing: bool = True
    unmatched: Unmatched = "log"
    unmatched_folder: Path | None = None
    max_workers: int = field(default_factory=number_of_cores)
    grace: float = GRACE_SECONDS
    settle: float = 0.0
    rescan: float = RESCAN_SECONDS
    poll: float = POLL_SECONDS
    polling: bool | None = None
    keep_days: float = KEEP_DAYS
    connections: Mapping[str, str] = field(default_factory=dict)
    sender: Sender | None = None
    own: Mapping[Path, str] = field(default_factory=dict)


def settings_of_dict(
    pipeline: Mapping[str, Any],
    folder: str | Path | None = None,
    *,
    base: Path | None = None,
    where: str = "pipeline",
    source: Path | None = None,
    **keys: Any,
) -> WatchSettings:
    """Make settings of a Python dict of tags.

    Args:
        pipeline: tasks by tag.
        folder: what is watched; None is refused, as a dict names none.
        base: what relative paths are taken from; by default the folder of the program.
        where: what error texts call the dict.
        source: the file that holds the dict; by default the program.
        keys: what ``[watch]`` may hold.

    Raises:
        SettingsError: something is not allowed, or the folder is none.
    """
    keys = {key: str(value) if isinstance(value, Path) else value for key, value in keys.items() if value is not None}
    check_keys(SECTION, keys, {key: rule for key, rule in KEYS.items() if key != "tags"})
    base = (base or _program_folder()).absolute()
    program = Path(sys.argv[0]).absolute() if sys.argv and sys.argv[0] else base
    return _settings({**keys, "tags": pipeline}, folder, base, where, Environment(base / ENVIRONMENT_FILE, where), source or program)


def load_watch_settings(path: Path, folder: str | Path | None = None, **overrides: Any) -> WatchSettings:
    """Read the settings of a file: ``[watch]`` of a TOML file, or the dict PIPELINE of a Python file.

    Args:
        path: the file.
        folder: what is watched; None means what the file says.
        overrides: keys of ``[watch]`` that the command line says; None is not said.

    Raises:
        SettingsError: the file cannot be read or holds what is not allowed.
    """
    path = path.absolute()
    if path.suffix == ".py":
        where = f"{path.name}: PIPELINE"
        return settings_of_dict(_pipeline_of_script(path), folder, base=path.parent, where=where, source=path, **overrides)
    document = _read_toml(path)
    if SECTION not in document:
        raise SettingsError(
            f"{path} has no [{SECTION}].",
            "Write the tags there: [watch.tags.NAME] tasks = […]. In a project, pdbt add watch begins it.",
            key=SECTION,
        )
    keys = document[SECTION]
    if not isinstance(keys, dict):
        raise wrong(f"{path.name}: {SECTION}", f"a section: [{SECTION}]", keys)
    check_keys(f"{path.name}: {SECTION}", keys, KEYS)
    keys = {**keys, **{key: value for key, value in overrides.items() if value is not None}}
    connections = _connections(document.get("connections", {}))
    environment = Environment(path.parent / ENVIRONMENT_FILE, path.name)
    settings = _settings(keys, folder, path.parent, f"{path.name}: {SECTION}.tags", environment, path, connections)
    return replace(settings, sender=_sender(document, path, settings.folder))


def find_settings_file(pipeline: Path | None) -> Path:
    """Return the file of the settings: the one that was named, or pdbt.toml of the project around the working folder.

    Raises:
        NotAProject: none was named, and there is no project.
    """
    from ..scaffold import find_project

    return pipeline if pipeline is not None else find_project(None) / FILE_NAME


def state_folder(base: Path, folder: Path) -> Path:
    """Return where the ledger of a watched folder is kept beside its settings; one folder, one ledger."""
    real = folder.resolve()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]
    return base / STATE_FOLDER / f"{real.name or 'root'}-{digest}"


def _settings(
    keys: Mapping[str, Any],
    folder: str | Path | None,
    base: Path,
    where: str,
    environment: Environment,
    source: Path,
    connections: Mapping[str, str] | None = None,
) -> WatchSettings:
    watched = _folder(keys, folder, base, environment)
    pipeline = read_pipeline(keys.get("tags", {}), _defaults(keys, base, watched), where)
    state = base / Path(keys["state"]).expanduser() if "state" in keys else state_folder(base, watched)
    settings = WatchSettings(
        folder=watched,
        pipeline=pipeline,
        base=base,
        state=state,
        recursive=keys.get("recursive", False),
        existing=keys.get("existing", True),
        unmatched=keys.get("unmatched", "log"),
        unmatched_folder=base / Path(keys["unmatched_folder"]).expanduser() if "unmatched_folder" in keys else None,
        max_workers=keys.get("max_workers", number_of_cores()),
        grace=float(keys.get("grace", GRACE_SECONDS)),
        settle=float(keys.get("settle", 0.0)),
        rescan=float(keys.get("rescan", RESCAN_SECONDS)),
        poll=float(keys.get("poll", POLL_SECONDS)),
        polling=keys.get("polling"),
        keep_days=float(keys.get("keep_days", KEEP_DAYS)),
        connections=connections or {},
        own=own_files(pipeline, base, state, source),
    )
    _check_unmatched(settings)
    _check_logs(settings)
    require_expendable(settings)
    return settings


def _defaults(keys: Mapping[str, Any], base: Path, folder: Path) -> Defaults:
    return Defaults(
        base=base,
        logs=base / Path(keys.get("logs", DEFAULT_LOGS)).expanduser(),
        timeout=float(keys.get("timeout", 0.0)),
        retries=keys.get("retries", 0),
        retry_delay=float(keys.get("retry_delay", RETRY_DELAY_SECONDS)),
        ignore_case=keys["ignore_case"] if "ignore_case" in keys else ignores_case(folder),
    )


def _folder(keys: Mapping[str, Any], folder: str | Path | None, base: Path, environment: Environment) -> Path:
    """Return the watched folder; the command line's is taken from the working folder, the file's from the file's."""
    if folder is not None:
        watched = Path(folder).expanduser().absolute()
    elif "folder" in keys:
        watched = base / Path(environment.fill(keys["folder"], "watch.folder", secret=False)).expanduser()
    else:
        raise SettingsError("No folder to watch was named.", "Name it: pdbt watch FOLDER, or set folder under [watch].", key="watch.folder")
    if not watched.is_dir():
        what = "is no folder" if watched.exists() else "does not exist"
        raise SettingsError(f"{watched} {what}, so it cannot be watched.", "Make the folder, or name another one.", key="watch.folder")
    return watched


def _check_unmatched(settings: WatchSettings) -> None:
    if settings.unmatched != "move":
        return
    target = settings.unmatched_folder
    if target is None:
        hint = "Name the folder that they are moved to."
        raise SettingsError('watch.unmatched is "move", but watch.unmatched_folder is missing.', hint, key="watch.unmatched_folder")
    inside = target.resolve() == settings.folder.resolve() or (
        settings.recursive and target.resolve().is_relative_to(settings.folder.resolve())
    )
    if inside:
        message = f"watch.unmatched_folder is {target}, which is watched itself."
        raise SettingsError(message, "Name a folder outside the watched one.", key="watch.unmatched_folder")


def _check_logs(settings: WatchSettings) -> None:
    for tag in settings.pipeline.tags:
        if any(task.logs.resolve() == settings.folder.resolve() for task in tag.tasks):
            message = f"The log folder of tag {tag.name} is the watched folder {settings.folder}: each log would be a new file."
            raise SettingsError(message, "Name another folder for logs, which may lie below it.", key=f"watch.tags.{tag.name}")


def _connections(document: Any) -> dict[str, str]:
    """Return the connections' URLs; what else a connection says belongs to others."""
    if not isinstance(document, dict):
        return {}
    return {name: keys["url"] for name, keys in document.items() if isinstance(keys, dict) and isinstance(keys.get("url"), str)}


def _sender(document: Mapping[str, Any], path: Path, folder: Path) -> Sender:
    """Return who is told of what, as ``[notifications]`` of the file says."""
    said, project = document.get("notifications", {}), document.get("project", {})
    rules = SECTIONS["notifications"]
    for key, value in said.items() if isinstance(said, dict) else [("", said)]:
        if key not in rules or not rules[key].fits(value):  # the value is not repeated: a URL is a token by itself
            allowed = rules[key].allowed if key in rules else f"one of {', '.join(rules)}"
            raise SettingsError(f"{path.name}: notifications.{key} is not what it may be.", f"It must be {allowed}.", key="notifications")
    name = str(project.get("name", "")) if isinstance(project, dict) else ""
    shown = f"{name}, {folder.name}" if name else folder.name
    return Sender(shown, tuple(said.get("urls", ())), tuple(said.get("on", NOTIFY_ON)), path.parent / ENVIRONMENT_FILE, path.name)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except FileNotFoundError:
        raise _missing(path) from None


def _missing(path: Path) -> SettingsError:
    return SettingsError(f"{path} does not exist.", "Name the file with the tags: --pipeline FILE.")


def _pipeline_of_script(path: Path) -> Mapping[str, Any]:
    import runpy

    if not path.is_file():
        raise _missing(path)
    try:
        pipeline = runpy.run_path(str(path)).get("PIPELINE")
    except Exception as error:  # a person's own code raises whatever it likes
        raise SettingsError(f"{path} cannot be run: {type(error).__name__}: {error}.", f"Try: python3 {path}") from error
    if not isinstance(pipeline, Mapping):
        raise SettingsError(f"{path} defines no dict PIPELINE.", 'Write: PIPELINE = {"tag": [("task.py", "1", "logs")]}.', key="PIPELINE")
    return pipeline


def _program_folder() -> Path:
    """Return the folder of the program that was started, or the working folder when that is no file."""
    program = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path()
    return program.resolve().parent if program.is_file() and program.suffix == ".py" else Path.cwd()
