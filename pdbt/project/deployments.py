"""Deployments: Dagsters elsewhere that run projects, as ``[deployments.NAME]`` of a workspace or a project names them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..engine.environment import MASK, Environment, redact
from ..engine.errors import PdbtError, SettingsError
from ..engine.organisation import PROJECT_FILE, WORKSPACE_FILE
from ..engine.settings_rules import Rule
from ..engine.toml import read_toml

SECTION = "deployments"
WORKSPACE_SECTIONS = ("connections", "dagster", SECTION)
# What Dagster's own client sends to Dagster+, and what most proxies in front of a Dagster want.
HEADERS = {"dagster": "Dagster-Cloud-Api-Token", "bearer": "Authorization"}
_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() == value != ""


RULES: Mapping[str, Rule] = {
    "url": Rule('the address of Dagster\'s page, as "https://dagster.example.com"', _is_text),
    "token": Rule(
        'of the form "${NAME}": it is taken from the environment or .env',
        lambda value: isinstance(value, str) and bool(_VARIABLE.fullmatch(value)),
    ),
    "auth": Rule(" | ".join(f'"{word}"' for word in HEADERS), lambda value: isinstance(value, str) and value in HEADERS),
    "labels": Rule("a list of texts", lambda value: isinstance(value, list) and all(map(_is_text, value))),
    "default": Rule("true or false", lambda value: isinstance(value, bool)),
}


@dataclass(frozen=True)
class Deployment:
    """A Dagster elsewhere.

    Attributes:
        name: what the settings call it; also the first of its labels.
        url: where its page is, without a slash at the end.
        labels: what it serves.
        default: it is meant when no label is given.
        headers: what every request carries.
        secrets: texts that nobody may see.
        file: the settings that name it.
    """

    name: str
    url: str
    labels: tuple[str, ...] = ()
    default: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    file: Path = Path(WORKSPACE_FILE)

    def __str__(self) -> str:
        """Name it as sentences do."""
        return f"the deployment {self.name} at {self.url}"

    def redact(self, text: str) -> str:
        """Return a text without its token."""
        for secret in self.secrets:  # wherever it stands, however short it is
            text = text.replace(secret, MASK)
        return redact(text)


@dataclass(frozen=True)
class Known:
    """The deployments that there are for whoever asks, by name, in the order of the settings.

    Attributes:
        files: the settings that were looked at.
        entries: each deployment's keys, its name first checked, and the file that holds them.
    """

    files: tuple[Path, ...]
    entries: Mapping[str, tuple[Path, Mapping[str, Any]]]

    def listed(self) -> str:
        """Say which there are, with what they serve."""
        return ", ".join(f"{name} ({', '.join(_labels(keys)) or 'no labels'})" for name, (_, keys) in self.entries.items())

    def choose(self, labels: Sequence[str]) -> Deployment:
        """Return the deployment that serves all these labels: the default one if it does, else the first.

        Without labels, the only deployment is meant, or the default one.

        Raises:
            PdbtError: there is none, or none can be chosen; lists those that there are.
            SettingsError: the chosen one's url or token is at fault.
        """
        if not self.entries:
            where = " or ".join(map(str, self.files)) or f"a {WORKSPACE_FILE} or {PROJECT_FILE}"
            raise PdbtError("There are no deployments to run on.", f'Name one in {where}: [deployments.NAME] url = "https://…".')
        serving = [
            name for name, (_, keys) in self.entries.items() if set(labels) <= {name, *_labels(keys)} and (labels or self._is_meant(name))
        ]
        if not serving:
            if not labels:
                raise PdbtError(
                    f"There are {len(self.entries)} deployments, and none of them is the default one.",
                    f"Choose by a label, or set default = true for one. There are: {self.listed()}.",
                )
            wanted = f"the label {labels[0]}" if len(labels) == 1 else f"all of the labels {', '.join(labels)}"
            raise PdbtError(f"No deployment serves {wanted}.", f"There are: {self.listed()}.")
        return self._made(next((name for name in serving if self.entries[name][1].get("default")), serving[0]))

    def _is_meant(self, name: str) -> bool:
        return len(self.entries) == 1 or bool(self.entries[name][1].get("default"))

    def _made(self, name: str) -> Deployment:
        file, keys = self.entries[name]
        environment = Environment(file.parent / ".env", file.name)
        section = f"{SECTION}.{name}"
        url = _checked_url(environment.fill(keys["url"], f"{section}.url", secret=False), f"{file.name}: {section}.url")
        headers: dict[str, str] = {}
        secrets: tuple[str, ...] = ()
        if "token" in keys:
            token = environment.fill(keys["token"], f"{section}.token")
            if not (token.isascii() and token.isprintable()) or token != token.strip():
                message = f"{file.name}: {section}.token holds characters that no token has, as line ends or blanks around it."
                raise SettingsError(message, f"Set {keys['token'][2:-1]} again.", key=f"{section}.token")
            auth = keys.get("auth", "dagster")
            headers, secrets = {HEADERS[auth]: f"Bearer {token}" if auth == "bearer" else token}, (token,)
        return Deployment(name, url, tuple(_labels(keys)), bool(keys.get("default")), headers, secrets, file)


def read_deployments(*files: Path) -> Known:
    """Read and check the deployments of some settings; a name of an earlier file comes before that of a later one.

    Args:
        files: a project's pdbt.toml, a workspace's pdbt-workspace.toml; those that are not there are left out.

    Raises:
        SettingsError: a file is no TOML, or a deployment is not as it must be.
    """
    entries: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    there = tuple(file for file in files if file.is_file())
    for file in there:
        document = read_toml(file)
        if file.name == WORKSPACE_FILE:  # the sections of a pdbt.toml are checked where all its settings are
            _check_names(file, document)
        sections = _checked_sections(file, document.get(SECTION, {}))
        for name, keys in sections.items():
            entries.setdefault(name, (file, keys))
    return Known(there, entries)


def _labels(keys: Mapping[str, Any]) -> list[str]:
    labels: list[str] = keys.get("labels", [])
    return labels


# Checking -------------------------------------------------------------------------------------------------------------


def _check_names(file: Path, document: Mapping[str, object]) -> None:
    for name in document:
        if name not in WORKSPACE_SECTIONS:
            close = difflib.get_close_matches(name.lower(), WORKSPACE_SECTIONS, n=1)
            hint = f"Did you mean [{close[0]}]? " if close else ""
            message = f"{file}: there is no section [{name}]."
            raise SettingsError(message, f"{hint}Allowed: {', '.join(f'[{known}]' for known in WORKSPACE_SECTIONS)}.", key=name)


def _checked_sections(file: Path, sections: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(sections, dict):
        raise SettingsError(f"{file}: {SECTION} is no section.", f'Write [{SECTION}.NAME] with url = "https://…".', key=SECTION)
    for name, keys in sections.items():
        section = f"{SECTION}.{name}"
        if not _NAME.fullmatch(name):
            message = f'{file}: "{name}" is no name for a deployment.'
            raise SettingsError(message, "Use letters, digits, - and _, a letter first.", key=section, received=name)
        if not isinstance(keys, dict):
            raise SettingsError(f"{file}: {section} is no section.", f'Write [{section}] with url = "https://…".', key=section)
        _check_keys(file, section, keys)
    defaults = [name for name, keys in sections.items() if keys.get("default")]
    if len(defaults) > 1:
        message = f"{file}: {' and '.join(defaults)} are both the default deployment."
        raise SettingsError(message, "Set default = true for one of them.", key=SECTION)
    return sections


def _check_keys(file: Path, section: str, keys: Mapping[str, object]) -> None:
    for key in ("url", *keys):
        if key not in RULES:
            close = difflib.get_close_matches(key.lower(), RULES, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            message = f"{file}: [{section}] has no key {key!r}."
            raise SettingsError(message, f"{hint}Allowed: {', '.join(RULES)}.", key=f"{section}.{key}", allowed=list(RULES))
        if not RULES[key].fits(keys.get(key)):
            # What was given is not shown: a token that stands here by mistake is a secret.
            state = "missing" if key not in keys else "not what it must be"
            allowed = RULES[key].allowed
            raise SettingsError(f"{file}: {section}.{key} is {state}.", f"It must be {allowed}.", key=f"{section}.{key}", allowed=allowed)


def _checked_url(url: str, key: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable()
    except ValueError:  # a port that is no number
        is_address = False
        parts = urlsplit("")
    if not is_address or " " in url:
        raise SettingsError(
            f"{key} is no address of a page.", 'It must be as "https://dagster.example.com" or "http://10.0.0.7:3000".', key=key
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(f"{key} holds more than an address.", "Leave out user, password, ? and #; a secret goes into token.", key=key)
    return url.rstrip("/").removesuffix("/graphql")
