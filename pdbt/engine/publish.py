"""Publication: how what a run built becomes what readers see, and how a run that was killed is taken up."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .databases.base import Database
from .files import file_token, hidden_sibling
from .state import ExportState, State, load_state


@dataclass(frozen=True)
class WorkFolder:
    """The places in ``db/.work``, where runs build."""

    root: Path

    @property
    def published_state(self) -> Path:
        """The state of the published database."""
        return self.root / "state.json"

    @property
    def work_state(self) -> Path:
        """The state of the work database."""
        return self.root / "work.json"

    @property
    def lock(self) -> Path:
        """The lock of the project's runs."""
        return self.root / "run.lock"

    @property
    def scratch(self) -> Path:
        """Temporary files of one run."""
        return self.root / "scratch"


@dataclass(frozen=True)
class Beginning:
    """Where a run begins: what is published, what the work database holds, if it can be gone on with."""

    published: State
    work: State | None


def begin(folder: WorkFolder, database: Database) -> Beginning:
    """Find out what is published and what an earlier run left, however it ended."""
    shutil.rmtree(folder.scratch, ignore_errors=True)
    published_token, work_token = database.published_token(), database.work_token()
    published, work = load_state(folder.published_state), load_state(folder.work_state)
    if work is not None and published_token is not None and work.token == published_token:
        # Killed after the database was renamed and before its state was.
        folder.work_state.replace(folder.published_state)
        published, work = work, None
    if published is None or published.token != (published_token or ""):
        # Nothing is published yet, or something else wrote to it: all is made again.
        known = published or State()
        published = State(references=known.references, selects=known.selects, stamps=known.stamps)
    if work is not None and (work.token != work_token or work.base != published.token):
        work = None
    if work is None and (work_token is not None or folder.work_state.exists()):
        database.discard()
        folder.work_state.unlink(missing_ok=True)
    return Beginning(published, work)


def look(folder: WorkFolder, database: Database) -> State:
    """Return the state that a run would begin with, changing nothing: for a dry run."""
    published_token, work_token = database.published_token(), database.work_token()
    for path in (folder.work_state, folder.published_state):
        state = load_state(path)
        if state is not None and state.token and state.token in (published_token, work_token):
            return state
    return State()


@dataclass
class Exports:
    """Files written beside their targets, to be renamed into place once the database is published."""

    project: Path
    staged: dict[str, Path] = field(default_factory=dict)

    def stage(self, path: str) -> Path:
        """Return the temporary name under which this export is to be written."""
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self.staged[path] = target.with_name(f".{target.name}.next")
        return self.staged[path]

    def record(self, path: str, version: str) -> ExportState:
        """Return the state of a staged export; a rename keeps its token."""
        return ExportState(version, file_token(self.staged[path]) or "")

    def put_in_place(self) -> None:
        """Rename every staged file over its target."""
        for path, temporary in self.staged.items():
            temporary.replace(self.project / path)
        self.staged.clear()

    def discard(self) -> None:
        """Remove what was staged and not put in place."""
        for temporary in self.staged.values():
            temporary.unlink(missing_ok=True)
        self.staged.clear()

    def remove_old(self, before: State, now: State) -> list[str]:
        """Remove exports that the project no longer makes, unless somebody changed them since; returns the removed ones."""
        removed = []
        for path, export in before.exports.items():
            if path not in now.exports and file_token(self.project / path) == export.token:
                (self.project / path).unlink(missing_ok=True)
                removed.append(path)
        return removed


def publish(folder: WorkFolder, database: Database, before: State, now: State) -> None:
    """Make the work database what readers see; killed anywhere in here, the next run knows what happened.

    Args:
        folder: the project's work folder.
        database: open, and holding every table of `now`.
        before: the state of what is published.
        now: the state of what the run built; becomes the state of what is published.
    """
    changed, dropped = differences(before, now)
    now.token = database.seal()
    now.base = before.token
    now.save(folder.work_state)
    database.publish(changed, dropped)
    folder.work_state.replace(folder.published_state)


def differences(before: State, now: State) -> tuple[Sequence[str], Sequence[str]]:
    """Return the tables of `now` that `before` has not in this version, and those of `before` that `now` has not."""
    changed = [name for name, table in now.tables.items() if name not in before.tables or before.tables[name].version != table.version]
    return changed, [name for name in before.tables if name not in now.tables]


def put_rejected(project: Path, table: str, rejected: Path | None) -> None:
    """Put a source's rejected rows where a person looks for them; without any, remove those of an earlier run."""
    target = project / "data" / "rejected" / f"{table}.csv"
    if rejected is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(rejected, hidden_sibling(target))
    hidden_sibling(target).replace(target)
