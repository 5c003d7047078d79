"""A job of a launched project as a task: Dagster is asked to run it, and the run's end is waited for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from ...engine.errors import BuildError, PdbtError
from ...engine.process.identity import find_instance
from ...engine.process.page import NoAnswer, ask
from ...engine.process.place import Place
from ...engine.settings import load_settings
from . import carry_out, named_project

JOB = "main_pipeline_job"
POLL_SECONDS = 0.5
ANSWER_SECONDS = 30.0
SILENCE_SECONDS = 60.0
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_LOOK = "Look at macro/dagster.log of the project."

_REPOSITORIES = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } } }"
_LAUNCH = """
mutation { launchRun(executionParams: { selector: %s, executionMetadata: { tags: %s } }) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }
"""
_STATUS = "{ runOrError(runId: %s) { __typename ... on Run { status } } }"


def main(words: Sequence[str]) -> int:
    """Run a job for a file.

    Args:
        words: the project, or ``PROJECT#JOB``, and the file.

    Returns:
        0 when the run succeeded.

    Raises:
        PdbtError: the project's Dagster does not run, or has no such job.
        BuildError: the run failed, or Dagster does not answer.
    """
    name, _, job = words[0].partition("#")
    project = named_project(name)
    record = find_instance(Place(load_settings(project))).record
    if record is None:
        raise PdbtError(f"The Dagster of {project} is not running.", f"Launch it: pdbt launch {project}")
    try:
        run = _launched(record.port, _selector(record.port, job or JOB))
    except NoAnswer as error:
        raise BuildError(f"The Dagster of {project} at {record.url} does not answer: {error}.", _LOOK) from None
    print(f"run {run}: {record.url}/runs/{run}", flush=True)
    status = wait_for_run(record.port, run)
    if status != "SUCCESS":
        raise BuildError(f"The run {run} of {job or JOB} ended with {status}.", f"Look at {record.url}/runs/{run}")
    return 0


def _selector(port: int, job: str) -> str:
    nodes = ask(port, _REPOSITORIES, ANSWER_SECONDS)["repositoriesOrError"].get("nodes", [])
    for node in nodes:
        if job in [known["name"] for known in node["jobs"]]:
            return _graphql({"repositoryName": node["name"], "repositoryLocationName": node["location"]["name"], "jobName": job})
    known = ", ".join(found["name"] for node in nodes for found in node["jobs"]) or "none"
    raise PdbtError(f"There is no job {job!r}; there are: {known}.", "Write one of them: dagster:PROJECT#JOB")


def _launched(port: int, selector: str) -> str:
    tags = [{"key": f"pdbt/{name.lower()}", "value": os.environ.get(f"PDBT_{name}", "")} for name in ("FILE", "TAG", "TASK_ID")]
    answer = ask(port, _LAUNCH % (selector, _graphql(tags)), ANSWER_SECONDS)["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        reason = answer.get("message") or "; ".join(error["message"] for error in answer.get("errors", [])) or answer["__typename"]
        raise BuildError(f"Dagster did not launch the run: {reason}.")
    return str(answer["run"]["runId"])


def wait_for_run(port: int, run: str) -> str:
    """Wait until a run has ended; return how.

    Raises:
        BuildError: Dagster answers no more, or knows the run no more.
    """
    heard = time.monotonic()
    while True:
        try:
            found = ask(port, _STATUS % json.dumps(run), ANSWER_SECONDS)["runOrError"]
            heard = time.monotonic()
        except NoAnswer:
            if time.monotonic() - heard > SILENCE_SECONDS:
                raise BuildError(f"Dagster on port {port} has not answered for {SILENCE_SECONDS:g} s.", _LOOK) from None
        else:
            if found["__typename"] == "RunNotFoundError":
                raise BuildError(f"The run {run} was removed from Dagster's history before it had ended.")
            if found.get("status") in _ENDED:
                return str(found["status"])
        time.sleep(POLL_SECONDS)


def _graphql(value: Any) -> str:
    """Write a value as GraphQL does: as JSON, with names that are no texts."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key}: {_graphql(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_graphql, value)) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    carry_out(main)
