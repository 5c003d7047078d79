"""Projects as Dagster's page and daemons see them: loaded into their own process, and anew when their files change."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.remote_origin import CodeLocationOrigin, InProcessCodeLocationOrigin
from dagster._core.remote_representation.code_location import InProcessCodeLocation
from dagster._core.remote_representation.external import RemoteExecutionPlan
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import WorkspaceLoadTarget

from ..organisation import shared_files
from .forking import STEADY_PATH
from .place import Hosted, InstancePlace, definitions_file

Fingerprint = tuple[tuple[str, int, int], ...]
Reading = Callable[[], AbstractContextManager[None]]
RETRY_SECONDS = 60.0  # what kept the project from loading may lie elsewhere, as a database server that was down


class ProjectLocation(InProcessCodeLocation):
    """The project's definitions, which the page may load anew."""

    def __init__(self, origin: InProcessCodeLocationOrigin, instance: DagsterInstance, reading: Reading) -> None:
        """Load the definitions; Dagster reads them again for the plan of a run, and that, too, is done in `reading`."""
        self._reading = reading
        with STEADY_PATH, reading():
            super().__init__(origin, instance)

    def get_execution_plan(self, *arguments: Any, **named: Any) -> RemoteExecutionPlan:
        """Return the plan of a run."""
        with STEADY_PATH, self._reading():
            return super().get_execution_plan(*arguments, **named)

    @property
    def is_reload_supported(self) -> bool:
        """Whether the page shows a button to reload."""
        return True


class ProjectOrigin(CodeLocationOrigin):
    """Where the project's definitions come from."""

    def __init__(self, hosted: Hosted, reading: Reading) -> None:
        """Remember where it is, and what its definitions are read in; loads nothing."""
        self._project = hosted.folder
        self._file = definitions_file(hosted.folder)
        self._reading = reading
        self._location: ProjectLocation | None = None
        self._seen: Fingerprint = ()
        self._tried = float("-inf")
        self._lock = threading.Lock()
        target = LoadableTargetOrigin(
            executable_path=sys.executable,
            python_file=str(self._file),
            working_directory=str(hosted.folder),
        )
        # What is stored with runs and schedules is Dagster's own origin, which any Dagster can read.
        self._stored = InProcessCodeLocationOrigin(target, location_name=hosted.name)

    @property
    def location_name(self) -> str:
        """The project's name."""
        return self._stored.location_name

    @property
    def loadable_target_origin(self) -> LoadableTargetOrigin:
        """The file of the definitions."""
        return self._stored.loadable_target_origin

    def get_id(self) -> str:
        """Return the stored origin's id."""
        return self._stored.get_id()

    def get_display_metadata(self) -> Mapping[str, Any]:
        """Return what the page shows of the location."""
        return {"python_file": str(self._file)}

    def create_location(self, instance: DagsterInstance) -> ProjectLocation:
        """Return the definitions as the files are now, read anew only when these changed.

        Raises:
            RuntimeError: a script of the project called sys.exit.
        """
        with self._lock:
            now = fingerprint(self._project)
            if self._location is None or self._seen != now:
                self._location, self._seen, self._tried = None, now, time.monotonic()
                self._location = self._load(instance)
            return self._location

    def reload_location(self, instance: DagsterInstance) -> ProjectLocation:
        """Return the definitions, read anew."""
        with self._lock:
            self._location = None
        return self.create_location(instance)

    def due(self) -> bool:
        """Whether the definitions are to be read anew: the files changed, or could not be read and it is time to try again."""
        if self._location is None and time.monotonic() - self._tried >= RETRY_SECONDS:
            return True
        return self._seen != fingerprint(self._project)

    def _load(self, instance: DagsterInstance) -> ProjectLocation:
        _forget_code(self._project)
        try:
            return ProjectLocation(self._stored, instance, self._reading)
        except SystemExit as error:
            raise RuntimeError(f"A script of {self._project} ended Python while it was read: sys.exit({error})") from error


class ProjectsTarget(WorkspaceLoadTarget):
    """The projects of an instance, as they come and go."""

    def __init__(self, place: InstancePlace) -> None:
        """Begin without any."""
        self._place = place
        self._origins: dict[Hosted, ProjectOrigin] = {}

    def create_origins(self) -> Sequence[CodeLocationOrigin]:
        """Return those that there are now; one that was there before keeps what it has loaded."""
        hosted = self._place.projects()
        before = self._origins
        self._origins = {
            project: before.get(project) or ProjectOrigin(project, functools.partial(self._place.reading, project.folder))
            for project in hosted
        }
        return list(self._origins.values())

    def changed(self) -> bool:
        """Whether a project has come or gone."""
        return set(self._place.projects()) != set(self._origins)

    def due(self) -> list[str]:
        """Return the names of those whose definitions are to be read anew."""
        return [origin.location_name for origin in self._origins.values() if origin.due()]


def _forget_code(project: Path) -> None:
    """Forget what Python and Dagster remember of the project's own files, so that they are read as they are now."""
    own = [name for name, module in list(sys.modules.items()) if _is_own(getattr(module, "__file__", None), project)]
    for name in own:
        if name != "__main__":
            del sys.modules[name]
    ReconstructableJob.get_definition.cache_clear()
    ReconstructableJob.get_repository_definition.cache_clear()


def _is_own(file: str | None, project: Path) -> bool:
    """Whether a module's file is one that the owner writes; the engine is not."""
    scripts = project / "scripts"
    if not file or Path(file).is_relative_to(scripts / "engine"):
        return False
    return Path(file).is_relative_to(scripts) or Path(file).is_relative_to(project / "macro")


def fingerprint(project: Path) -> Fingerprint:
    """Return what the definitions are read from: the scripts and settings, with size and time, and the names of the sources."""
    return tuple(sorted(_entries(project)))


def _entries(project: Path) -> Iterator[tuple[str, int, int]]:
    for path in (project / "pdbt.toml", project / ".env", *_scripts(project), *shared_files(project)):
        try:
            found = path.stat()
        except OSError:
            continue
        yield str(path), found.st_mtime_ns, found.st_size
    for path in (project / "data" / "source").glob("**/*"):
        yield str(path), 0, 0


def _scripts(project: Path) -> Iterator[Path]:
    yield from (project / "macro").glob("*.py")
    yield from (project / "scripts").glob("*.py")
    for folder in ("processed", "final", "checks"):
        yield from (path for path in (project / "scripts" / folder).glob("**/*") if path.suffix != ".pyc")
