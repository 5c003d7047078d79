"""The page's own interface, asked as the page itself asks it."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

ANSWER_SECONDS = 60.0
RUN_SECONDS = 120.0
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
LAUNCH = """
mutation($location: String!, $job: String!) {
  launchRun(executionParams: {
    selector: {repositoryName: "__repository__", repositoryLocationName: $location, jobName: $job}, runConfigData: {}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""
LOCATION = """
{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError { message causes { message } } } } } } }
"""
RUNS = "{ runsOrError(limit: 1000) { ... on Runs { results { runId status tags { key value } } } } }"


def ask(port: int, query: str, **variables: object) -> Any:
    """Return the data that a query is answered with."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        found = json.load(answer)
    assert "errors" not in found, found["errors"]
    return found["data"]


def launch_run(port: int, location: str, job: str = "main_pipeline_job") -> str:
    """Start a job; return the run's id."""
    answer = ask(port, LAUNCH, location=location, job=job)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def wait_for_run(port: int, run_id: str) -> str:
    """Return how a run ended."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        answer = ask(port, "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
        if answer["runOrError"]["status"] in ENDED:
            return str(answer["runOrError"]["status"])
        time.sleep(0.1)
    raise AssertionError(f"the run did not end in {RUN_SECONDS} s")


def runs(port: int) -> dict[str, str]:
    """Return all runs of the history with their status, the newest first."""
    return {run["runId"]: run["status"] for run in ask(port, RUNS)["runsOrError"]["results"]}


def scheduled_runs(port: int) -> dict[str, str]:
    """Return those that the schedule started."""
    results = ask(port, RUNS)["runsOrError"]["results"]
    return {run["runId"]: run["status"] for run in results if any(tag["key"] == "dagster/schedule_name" for tag in run["tags"])}


def assets(port: int) -> set[str]:
    """Return the assets that the page lists."""
    return {"/".join(node["assetKey"]["path"]) for node in ask(port, "{ assetNodes { assetKey { path } } }")["assetNodes"]}


def location_fault(port: int) -> str:
    """Return why the project could not be loaded; empty when it was."""
    (entry,) = ask(port, LOCATION)["workspaceOrError"]["locationEntries"]
    error = entry["locationOrLoadError"] or {}
    return " ".join([error.get("message") or "", *(cause["message"] for cause in error.get("causes") or [])]).strip()
