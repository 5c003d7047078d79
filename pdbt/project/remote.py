"""A project on a deployment: found by its name, its parameters asked for, its run begun."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.errors import PdbtError, SettingsError
from ..engine.parameters import Accepted, read_parameter
from ..engine.settings import Parameter
from .deployments import Deployment
from .graphql import NoAnswer, ask, innermost, shortened, strange, the
from .local import written

# What is wrong is told within five seconds.
LOOK_SECONDS = 4.0
# To begin a run, a deployment may have to read the project's files first.
LAUNCH_SECONDS = 60.0
# After a beginning that was not answered: how long it is looked for what became of it.
SEARCH_SECONDS = 15.0
REQUEST_TAG = "pdbt/request"
JOB = "main_pipeline_job"
_OP = "run_pipeline"
_LABEL = "pdbt"
_POLL_SECONDS = 0.5
# With less time than this left, nobody is asked any more: a busy page takes as long.
_LEAST_SECONDS = 1.0

_LOOK = """{ workspaceOrError { __typename ... on PythonError { message } ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename
    ... on PythonError { message errorChain { error { message } } }
    ... on RepositoryLocation { repositories { name jobs { name metadataEntries { label ... on JsonMetadataEntry { jsonString } } } } }
  } } } } }"""
_LAUNCH = """mutation($selector: JobOrPipelineSelector!, $config: RunConfigData!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {selector: $selector, runConfigData: $config, executionMetadata: {tags: $tags}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  } }"""
_BY_REQUEST = """query($tags: [ExecutionTag!]!) { runsOrError(filter: {tags: $tags}, limit: 1) {
  __typename ... on Runs { results { runId } } } }"""


@dataclass(frozen=True)
class RemoteProject:
    """A project that a deployment has.

    Attributes:
        name: its name.
        location: the code location that holds it.
        repository: its repository there.
        accepted: the parameters that a run takes; None when its copy of the engine is too old to tell.
        fault: why the deployment cannot load it; empty when it can.
        loading: it is being loaded.
    """

    name: str
    location: str
    repository: str = ""
    accepted: Accepted | None = None
    fault: str = ""
    loading: bool = False


def find_remote(deployment: Deployment, name: str) -> RemoteProject:
    """Return a project of a deployment by its name, within five seconds.

    Raises:
        NoAnswer: the deployment does not answer.
        PdbtError: it has no such project; lists those that it has. Or it has several, or cannot load it; says why.
    """
    deadline = time.monotonic() + LOOK_SECONDS
    while True:
        projects = list(_projects(deployment, deadline - time.monotonic()))
        found = [project for project in projects if project.name == name]
        waiting = any(project.loading for project in found or projects)
        if not waiting or deadline - time.monotonic() < _POLL_SECONDS + _LEAST_SECONDS:
            break
        time.sleep(_POLL_SECONDS)
    if not found:
        raise _unknown(deployment, name, [project.name for project in projects])
    if len(found) > 1:
        where = " and ".join(project.location for project in found)
        raise PdbtError(f"{the(deployment)} has {name} in more than one code location: {where}.", "Give each a name of its own there.")
    return _usable(deployment, found[0])


def _usable(deployment: Deployment, project: RemoteProject) -> RemoteProject:
    if project.loading:
        raise PdbtError(f"{the(deployment)} is still loading {project.name}.", "Try again in a minute.")
    if project.fault:
        raise PdbtError(f"{the(deployment)} cannot load {project.name}: {project.fault}.", "Mend it there; what there is now is not run.")
    return project


def _unknown(deployment: Deployment, name: str, there: list[str]) -> PdbtError:
    close = difflib.get_close_matches(name, there, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return PdbtError(f"{the(deployment)} has no project {name}.", f"{hint}It has: {', '.join(sorted(there)) or 'none'}.")


def _projects(deployment: Deployment, seconds: float) -> Iterator[RemoteProject]:
    data = ask(deployment, _LOOK, {}, seconds)
    try:
        workspace = data["workspaceOrError"]
        if workspace["__typename"] != "Workspace":
            raise PdbtError(f"{the(deployment)} has no projects to run: {shortened(deployment, workspace.get('message'))}.")
        for entry in workspace["locationEntries"]:
            yield from _of_location(deployment, entry)
    except (KeyError, TypeError, ValueError):
        raise strange(deployment) from None


def _of_location(deployment: Deployment, entry: Mapping[str, Any]) -> Iterator[RemoteProject]:
    location, loaded = entry["name"], entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or loaded is None:
        yield RemoteProject(location, location, loading=True)
    elif loaded["__typename"] == "PythonError":
        yield RemoteProject(location, location, fault=shortened(deployment, innermost(loaded)))
    else:
        for repository in loaded["repositories"]:
            for job in repository["jobs"]:
                if job["name"] == JOB:
                    yield _of_job(location, repository["name"], job)


def _of_job(location: str, repository: str, job: Mapping[str, Any]) -> RemoteProject:
    told = next((json.loads(entry["jsonString"]) for entry in job["metadataEntries"] if entry["label"] == _LABEL), None)
    if told is None:
        return RemoteProject(location, location, repository)
    kinds = {str(name): str(kind) for name, kind in told["parameters"].items()}
    return RemoteProject(str(told["project"]), location, repository, Accepted(kinds, bool(told["anything"])))


# Parameters -----------------------------------------------------------------------------------------------------------


def remote_parameters(deployment: Deployment, project: RemoteProject, parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """Return parameters as the run there reads them: the same texts that a run here would be given.

    Raises:
        SettingsError: the project there knows no such parameter, or it must be something else.
    """
    if not parameters:
        return {}
    accepted = project.accepted
    if accepted is None:
        message = f"{project.name} on {deployment} was made by an older pdbt, and does not tell which parameters it takes."
        raise PdbtError(message, "Bring its engine up to date there, or leave the parameters out.")
    texts = {}
    for name, value in parameters.items():
        if name not in accepted.kinds and not accepted.anything:
            known = ", ".join(f"${known}" for known in accepted.kinds) or "none"
            message = f"--param {name}: no file of {project.name} on {deployment} uses ${name}."
            raise SettingsError(message, f"Used: {known}.", key=f"parameters.{name}", allowed=list(accepted.kinds))
        kind = accepted.kinds.get(name, "")
        texts[name] = written(value, has_kind=bool(kind))
        read_parameter(name, texts[name], kind)
    return texts


# Runs -----------------------------------------------------------------------------------------------------------------


def begin_run(deployment: Deployment, project: RemoteProject, parameters: Mapping[str, str], request: str, *, full: bool) -> str:
    """Begin a run; return its id.

    Args:
        deployment: where.
        project: what.
        parameters: as `remote_parameters` writes them.
        request: a text that no other run has: the run carries it, and can be found by it.
        full: make everything again.

    Raises:
        PdbtError: the deployment does not begin it, or it is not known whether it did.
    """
    config = {"ops": {_OP: {"config": {"full": full, "parameters": dict(parameters)}}}}
    selector = {"repositoryLocationName": project.location, "repositoryName": project.repository, "jobName": JOB}
    variables = {"selector": selector, "config": config, "tags": [{"key": REQUEST_TAG, "value": request}]}
    try:
        answer = ask(deployment, _LAUNCH, variables, LAUNCH_SECONDS).get("launchRun")
    except NoAnswer as error:
        if not error.carried_out:
            raise
        return _searched(deployment, request, error)
    try:
        if answer["__typename"] == "LaunchRunSuccess":  # type: ignore[index] # what is no dict is told below
            return str(answer["run"]["runId"])  # type: ignore[index]
        why = answer["errors"][0]["message"] if answer.get("errors") else answer["message"]  # type: ignore[index, union-attr]
    except (KeyError, TypeError, IndexError):
        raise strange(deployment) from None
    raise PdbtError(f"{the(deployment)} does not run {project.name}: {shortened(deployment, why)}.")


def find_run(deployment: Deployment, request: str, seconds: float = LOOK_SECONDS) -> str | None:
    """Return the id of the run that carries this text; None when there is none.

    Raises:
        NoAnswer: the deployment does not answer.
    """
    data = ask(deployment, _BY_REQUEST, {"tags": [{"key": REQUEST_TAG, "value": request}]}, seconds)
    try:
        runs = data["runsOrError"]["results"]
        return str(runs[0]["runId"]) if runs else None
    except (KeyError, TypeError, IndexError):
        raise strange(deployment) from None


def run_url(deployment: Deployment, run_id: str) -> str:
    """Return where a person sees a run."""
    return f"{deployment.url}/runs/{run_id}"


def _searched(deployment: Deployment, request: str, cause: NoAnswer) -> str:
    """Look for a run whose beginning was not answered."""
    deadline = time.monotonic() + SEARCH_SECONDS
    while time.monotonic() < deadline:
        try:
            found = find_run(deployment, request)
        except NoAnswer as error:
            cause = error
        else:
            if found is not None:
                return found
        time.sleep(_POLL_SECONDS)
    message = f"It is not known whether the run has begun: {cause.message}"
    raise PdbtError(message, f"Look at {deployment.url}/runs before you try again.")
