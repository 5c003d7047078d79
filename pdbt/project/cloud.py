"""Running a project on a deployment from Python: the same run as `run_local`, by a Dagster elsewhere."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.errors import DONE, PIPELINE_FAILED, PdbtError
from ..engine.organisation import PROJECT_FILE, WORKSPACE_FILE
from ..engine.settings import Parameter
from ..engine.toml import read_toml
from .deployments import Deployment, Known, read_deployments
from .following import DONE as WELL_DONE
from .following import PARTIAL, PATIENCE_SECONDS, follow
from .graphql import NoAnswer
from .local import RunResult
from .remote import begin_run, find_remote, remote_parameters, run_url
from .scripts import find_home
from .workspace import NotAWorkspace, find_workspace, locate_project

SUBMITTED = "submitted"
_SAMPLE_ENDING = "-sample"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class CloudResult(RunResult):
    """What became of a run of a deployment.

    Attributes:
        status: ``submitted``, when it was not waited for; ``running``, when the time was up before it ended; ``lost``, when the
            deployment was gone; else as that of a `RunResult`.
        seconds: how long it took, by the deployment's clock; 0 when that is not known.
        run_id: the run's id there.
        url: where a person sees it.
        deployment: what the settings call the deployment.
    """

    run_id: str
    url: str
    deployment: str

    @property
    def ok(self) -> bool:
        """Whether the run is known to be published."""
        return self.status in (WELL_DONE, PARTIAL)


@dataclass(frozen=True)
class Target:
    """A project as a deployment is asked for it.

    Attributes:
        name: the project's name.
        home: its folder here; None when it is not here.
        known: the deployments that there are.
    """

    name: str
    home: Path | None
    known: Known


def run_cloud(
    project: str | os.PathLike[str],
    labels: Sequence[str] = (),
    parameters: Mapping[str, Parameter] | None = None,
    *,
    full: bool = False,
    wait: bool = False,
    timeout: float | None = None,
    patience: float = PATIENCE_SECONDS,
    tell: Tell | None = None,
) -> CloudResult:
    """Run a project's pipeline on a deployment.

    Args:
        project: its name, or its folder here; what is run are the files that the deployment has of it.
        labels: what the deployment must serve; without any, the only deployment or the default one is meant.
        parameters: values of ``$name`` for this run.
        full: make everything again.
        wait: follow the run to its end.
        timeout: seconds after which it is no longer waited for, and goes on; None means never.
        patience: seconds that the deployment may be silent during the wait.
        tell: is told sentences for a person: that the run has begun, that the deployment is silent.

    Returns:
        what became of it, with its id and URL; a run that fails is a result, and raises nothing.

    Raises:
        PdbtError: nothing was run: no deployment serves the labels, or it does not answer, or it has no such project or parameter.
            It is told within five seconds.
    """
    begun = submit(find_target(project), labels, parameters or {}, request=str(uuid.uuid4()), full=full)
    if tell is not None:
        tell(f"Run {begun.result.run_id} has begun on {begun.result.deployment}: {begun.result.url}")
    return await_end(begun, timeout=timeout, patience=patience, tell=tell) if wait else begun.result


@dataclass(frozen=True)
class Begun:
    """A run that a deployment has been given."""

    deployment: Deployment
    result: CloudResult


def submit(target: Target, labels: Sequence[str], parameters: Mapping[str, Parameter], *, request: str, full: bool = False) -> Begun:
    """Begin a run on the deployment that serves the labels.

    Args:
        target: the project, and the deployments that there are.
        labels: what the deployment must serve.
        parameters: values of ``$name`` for this run.
        request: a text that no other run has, by which it can be found again.
        full: make everything again.

    Raises:
        PdbtError: nothing was run, or it is not known whether it was.
    """
    deployment = target.known.choose(labels)
    try:
        project = find_remote(deployment, target.name)
        texts = remote_parameters(deployment, project, parameters)
    except PdbtError as error:
        raise _listing_others(target.known, deployment, error) from None
    return begun_as(deployment, begin_run(deployment, project, texts, request, full=full))


def begun_as(deployment: Deployment, run_id: str) -> Begun:
    """Return a run that a deployment has."""
    url = run_url(deployment, run_id)
    return Begun(deployment, CloudResult(SUBMITTED, (), {}, 0.0, None, DONE, run_id, url, deployment.name))


def await_end(begun: Begun, *, timeout: float | None = None, patience: float = PATIENCE_SECONDS, tell: Tell | None = None) -> CloudResult:
    """Follow a run to its end; Ctrl-C ends the wait alone."""
    result = begun.result
    try:
        outcome = follow(
            begun.deployment, result.run_id, timeout=timeout, patience=patience, tell=tell if tell is not None else lambda sentence: None
        )
    except KeyboardInterrupt as error:
        error.add_note(f"The run goes on, and is no longer waited for: {result.url}")
        raise
    rows = {table: count for table, count in outcome.rows.items() if count is not None}
    ended = replace(result, status=outcome.status, tables=tuple(outcome.rows), rows=rows, seconds=outcome.seconds, error=outcome.error)
    return replace(ended, exit_code=DONE if ended.ok else PIPELINE_FAILED)


def find_target(project: str | os.PathLike[str] | None, *, sample: bool = False) -> Target:
    """Return what a deployment is to be asked for.

    Args:
        project: a project's name, or its folder here; None means the nearest one around the working folder.
        sample: its sample is meant.

    Raises:
        PdbtError: there is no project around the working folder, or settings are at fault.
    """
    home = _home(project, sample)
    if home is not None:
        # What else the settings say is the deployment's affair: this machine may know nothing of the database there.
        said = read_toml(home / PROJECT_FILE).get("project")
        name = str(said.get("name", home.name)) if isinstance(said, dict) else home.name
        files = [path / PROJECT_FILE for path in (home, home.parent) if path == home or sample]
        return Target(name, home, read_deployments(*files, *_workspace_files(home)))
    name = Path(os.fspath(project or "")).name
    return Target(f"{name}{_SAMPLE_ENDING}" if sample else name, None, read_deployments(*_project_files(), *_workspace_files(Path.cwd())))


def _home(project: str | os.PathLike[str] | None, sample: bool) -> Path | None:
    """Return the project's folder; None when it is not here, and so its name alone is meant."""
    if project is None:
        return find_home(None, sample=sample)
    try:
        return find_home(Path(project), sample=sample)
    except PdbtError:
        if Path(project).is_absolute() or (Path(project) / PROJECT_FILE).is_file():
            raise
        return None


def _project_files() -> list[Path]:
    try:
        return [locate_project(None) / PROJECT_FILE]
    except PdbtError:
        return []


def _workspace_files(folder: Path) -> list[Path]:
    try:
        return [find_workspace(folder).root / WORKSPACE_FILE]
    except NotAWorkspace:
        return []


def _listing_others(known: Known, deployment: Deployment, error: PdbtError) -> PdbtError:
    """Say beside a fault which other deployments there are."""
    if isinstance(error, NoAnswer):
        error.hint = f"{error.hint} There are: {known.listed()}.".strip()
        error.redact(deployment.redact)
    return error
