"""Dagster's page, asked over its GraphQL: whether it can list the project's assets, what its schedules are."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from .place import HOST

_READY = """{
  assetNodes { assetKey { path } }
  workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
    __typename ... on PythonError { message errorChain { error { message } } } } } } }
}"""
_SCHEDULES = """{
  repositoriesOrError { __typename ... on RepositoryConnection { nodes { location { name } schedules {
    name scheduleState { status } futureTicks(limit: 1) { results { timestamp } } } } } }
}"""
# How Python writes the name of an error of the engine, which says nothing to a person.
_OWN_ERROR = re.compile(r"^(pdbt\.)?(pdbt_)?engine(_\w+)?\.errors\.\w+: ")


class NoAnswer(Exception):
    """The page does not answer, or not with what was asked for."""


@dataclass(frozen=True)
class Loaded:
    """What the page has of its projects.

    Attributes:
        whole: it has looked at all of them, and the assets of those without a fault can be listed.
        faults: by the name of a project whose definitions cannot be loaded, why.
        names: the projects, in the page's order.
    """

    whole: bool
    faults: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether all of it can be used."""
        return self.whole and not self.faults


@dataclass(frozen=True)
class Schedule:
    """A schedule of the project.

    Attributes:
        name: its name.
        state: ``RUNNING`` or ``STOPPED``.
        next_tick: when it is due next, ISO 8601; None when it is stopped.
        location: the name of its project on the page.
    """

    name: str
    state: str
    next_tick: str | None
    location: str = ""


def ask(port: int, query: str, seconds: float) -> dict[str, Any]:
    """Return the data of a GraphQL query.

    Raises:
        NoAnswer: there is none within these seconds.
    """
    body = json.dumps({"query": query}).encode()
    try:
        with contextlib.closing(HTTPConnection(HOST, port, timeout=seconds)) as connection:  # asks no proxy of the environment
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise HTTPException(f"HTTP {response.status} {response.reason}")
            data = json.loads(response.read())["data"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise NoAnswer(str(error)) from None
    if not isinstance(data, dict):
        raise NoAnswer("no data")
    return data


def look(port: int, seconds: float) -> Loaded:
    """Return whether the page can list its projects' assets.

    Raises:
        NoAnswer: it does not answer yet.
    """
    data = ask(port, _READY, seconds)
    try:
        entries = data["workspaceOrError"]["locationEntries"]
        faults = {entry["name"]: fault for entry in entries if (fault := _fault(entry))}
        loaded = bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
        listed = isinstance(data["assetNodes"], list) or len(faults) == len(entries)
        return Loaded(loaded and listed, faults, tuple(entry["name"] for entry in entries))
    except (KeyError, TypeError) as error:
        raise NoAnswer(str(error)) from None


def schedules(port: int, seconds: float) -> list[Schedule]:
    """Return the schedules that the page knows.

    Raises:
        NoAnswer: it does not answer, or not in time.
    """
    data = ask(port, _SCHEDULES, seconds)
    try:
        return [_schedule(found, node["location"]["name"]) for node in data["repositoriesOrError"]["nodes"] for found in node["schedules"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(str(error)) from None


def _fault(entry: dict[str, Any]) -> str:
    """Return what kept a location from being loaded: the innermost error, where the person's own code or settings are named."""
    found = entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or found is None or found["__typename"] != "PythonError":
        return ""
    chain = [link["error"]["message"] for link in found.get("errorChain") or ()]
    message = " ".join((chain[-1] if chain else found["message"]).split())
    return _OWN_ERROR.sub("", message)


def _schedule(found: dict[str, Any], location: str) -> Schedule:
    state = found["scheduleState"]["status"]
    ticks = [result["timestamp"] for result in found["futureTicks"]["results"] if result] if state == "RUNNING" else []
    due = datetime.datetime.fromtimestamp(ticks[0]).astimezone().isoformat(timespec="seconds") if ticks else None
    return Schedule(found["name"], state, due, location)
