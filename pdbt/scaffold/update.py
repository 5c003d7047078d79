"""Updating a project: what a newer pdbt's templates make of its answers, brought in beside what its owner edited."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..engine.errors import PIPELINE_FAILED, PdbtError
from ..engine.interrupted import JOURNAL, NEW_SUFFIX
from ..engine.lock import run_lock
from ..engine.settings import FILE_NAME
from ..engine.settings_rules import DATABASE_FILES
from ..engine.toml import read_toml
from ..version import __version__
from .base import Base, pack_base, read_base
from .generated import Answers, addon_folder, generated_files, known_addons
from .locate import find_project, whole_project
from .merge import is_marked, same_text
from .renames import plan_renames, plan_renames_without_base, renamed_files
from .templates import read_tree
from .update_apply import apply_update, finish_interrupted
from .update_plan import UNKNOWN_BASE, FileUpdate, UpdatePlan, plan_files, read_owners
from .urls import URL_VARIABLE, has_password

LOCK_SECONDS = 30.0
_LOCK = "db/.work/run.lock"
_ENGINE_BESIDE = f"scripts/engine{NEW_SUFFIX}"


class UnresolvedConflicts(PdbtError):
    """A newer template for files that still hold the conflicts of an earlier update.

    Attributes:
        paths: these files.
    """

    def __init__(self, project: Path, paths: tuple[str, ...]) -> None:
        """Name the files."""
        super().__init__(
            f"{project} has conflicts of an earlier update: {', '.join(paths)}. Nothing was changed.",
            f"Decide at each <<<<<<< and remove the marks; take what you want of *{NEW_SUFFIX} and remove it; then update again.",
            PIPELINE_FAILED,
        )
        self.paths = paths


def update_project(
    project: Path | None = None, *, dry_run: bool = False, waiting: Callable[[str], None] = lambda sentence: None
) -> UpdatePlan:
    """Bring this pdbt's templates into a project, or with `dry_run` only find out what would become of each file.

    Args:
        project: the project's folder, or its sample's; None means the nearest one around the working folder.
        dry_run: plan only.
        waiting: told in a sentence when a run has to end first.

    Returns:
        the plan, carried out unless it was a dry run.

    Raises:
        UnresolvedConflicts: an earlier update's conflicts stand in the way; nothing was changed.
        RunInProgress: a run did not end in time.
        PdbtError: the project was made by a newer pdbt, or its base or a file cannot be read or written; nothing was changed.
    """
    home = whole_project(find_project(project))
    if dry_run:
        if (home / JOURNAL).exists():
            raise PdbtError(f"An update of {home} was interrupted.", "Finish it first: the same command without --dry-run.")
        return plan_update(home)
    with runs_locked(home, _lock_timeout(home), waiting):
        return _update(home)


@contextlib.contextmanager
def runs_locked(project: Path, timeout: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the locks of the runs of a project and of its sample, if it has one; the arguments are those of `run_lock`."""
    with contextlib.ExitStack() as stack:
        for home in (project, project / "sample"):
            if (home / FILE_NAME).is_file():
                stack.enter_context(run_lock(home / _LOCK, timeout, waiting))
        yield


def _update(project: Path) -> UpdatePlan:
    finish_interrupted(project)
    plan = plan_update(project)
    if plan.writes or plan.base is not None:
        apply_update(plan)
    return plan


def plan_update(project: Path) -> UpdatePlan:
    """Decide what becomes of each file of a project; writes nothing.

    Raises:
        UnresolvedConflicts: an earlier update's conflicts stand in the way.
        PdbtError: the project was made by a newer pdbt, or its base or a file cannot be read.
    """
    from packaging.version import Version

    base = read_base(project)
    if base is not None and Version(base.version) > Version(__version__):
        raise PdbtError(
            f"{project} was made by pdbt {base.version}, and this is pdbt {__version__}.", "Update pdbt: python3 -m pip install -U pdbt"
        )
    answers = base.answers if base is not None else _answers_of(project)
    new = generated_files(answers)
    unresolved = find_unresolved(project, base, new)
    current = base is not None and dict(base.files) == new and base.version == __version__
    if unresolved and not current:
        raise UnresolvedConflicts(project, unresolved)
    old_version = base.version if base is not None else UNKNOWN_BASE
    files = () if current else _without_base(project, new) if base is None else _with_base(project, base, new)
    packed = None if current else pack_base(answers, new)
    return UpdatePlan(project, old_version, __version__, files, packed, unresolved)


def _with_base(project: Path, base: Base, new: Mapping[str, bytes]) -> tuple[FileUpdate, ...]:
    renamed = renamed_files(project, base.files, new)
    files = plan_files(project, base, new, __version__, {*renamed, *renamed.values()})
    return tuple(sorted([*files, *plan_renames(project, base, new, __version__, renamed)], key=lambda file: file.path))


def find_unresolved(project: Path, base: Base | None, new: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the files with marks of an earlier update in them, or a new one beside them that nobody has taken.

    Args:
        project: the project's folder.
        base: what the templates made of it; None when that is not known.
        new: what the templates make of it now, by path.
    """
    before = base.files if base is not None else {}
    found = [_ENGINE_BESIDE] if (project / _ENGINE_BESIDE).exists() else []
    for path in sorted({*before, *new}):
        beside = path + NEW_SUFFIX
        content = read_owners(project, path).content
        if (project / beside).exists():
            found.append(beside)
        if content is not None and content not in (before.get(path), new.get(path)) and is_marked(content):
            found.append(path)
    return tuple(found)


def _without_base(project: Path, new: dict[str, bytes]) -> tuple[FileUpdate, ...]:
    """Plan for a project that has no base: what differs may be edited or only old, so it is kept, and the new one put beside it.

    The engine is one thing: half of it would not run, so a whole new one is put beside a different one.
    """
    engine = "scripts/engine/"
    differs = any(read_owners(project, path).content != content for path, content in new.items() if path.startswith(engine))
    has_sample = (project / "sample" / FILE_NAME).is_file()
    files = list(plan_renames_without_base(project, new, __version__)) if has_sample else []
    for path, content in sorted(new.items()):
        yours = read_owners(project, path)
        if path.startswith(engine):
            if differs:
                target = f"{_ENGINE_BESIDE}/{path.removeprefix(engine)}"
                files.append(FileUpdate("beside", path, target, content, note="this engine differs, and has no base to compare with"))
        elif yours.reason:
            files.append(FileUpdate("left", path, note=yours.reason))
        elif yours.content is None and (has_sample or not path.startswith("sample/")):
            files.append(FileUpdate("create", path, path, content))
        elif yours.content is not None and not same_text(yours.content, content):
            files.append(FileUpdate("beside", path, path + NEW_SUFFIX, content, note="differs, and has no base to compare with"))
    return tuple(sorted(files, key=lambda file: file.path))


def _answers_of(project: Path) -> Answers:
    """Read from its settings what a project without a base was made with."""
    settings = read_toml(project / FILE_NAME)
    try:
        name, database, port = settings["project"]["name"], settings["database"]["type"], settings["dagster"]["port"]
        url = settings["database"].get("url")
    except (KeyError, TypeError, AttributeError) as error:
        raise PdbtError(
            f"{project / FILE_NAME} lacks {error}, and {project} has no .pdbt/ that says how it was made.",
            "It must have [project] name, [database] type and [dagster] port.",
        ) from None
    if database not in DATABASE_FILES or not isinstance(name, str) or not isinstance(port, int) or not isinstance(url, str | None):
        raise PdbtError(f"{project / FILE_NAME} has a name, database type, url or port that is none.", "Mend it first.")
    if url is not None and has_password(url):
        url = f"${{{URL_VARIABLE}}}"  # what is generated and kept as the base holds no secret
    addons = tuple(addon for addon in known_addons() if _has_addon(project, addon))
    return Answers(name, database, url, port, addons)


def _has_addon(project: Path, addon: str) -> bool:
    scripts = [path for path, _ in read_tree(addon_folder(addon)) if path.endswith(".py")]
    return bool(scripts) and all((project / path).is_file() for path in scripts)


def _lock_timeout(project: Path) -> float:
    """Return how long to wait for a run; settings that are at fault must not hinder the update that may mend them."""
    try:
        timeout = read_toml(project / FILE_NAME).get("database", {}).get("lock_timeout", LOCK_SECONDS)
    except (PdbtError, AttributeError):
        return LOCK_SECONDS
    return float(timeout) if isinstance(timeout, int | float) else LOCK_SECONDS
