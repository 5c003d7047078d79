"""Secrets that an archive would carry: files that hold nothing else, and passwords that stand in settings instead of ``${NAME}``."""

from __future__ import annotations

import copy
import fnmatch
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.environment import MASK, passwords
from ..engine.errors import PdbtError
from ..engine.settings import FILE_NAME

# Files of secrets by their names; examples of them, which tools write for people to fill in, are not.
_FILES = (
    ".env .env.* *.env .envrc .netrc _netrc .pgpass pgpass.conf .my.cnf .git-credentials secrets.toml"
    " *.pem *.key *.p12 *.pfx *.keystore id_rsa id_dsa id_ecdsa id_ed25519"
).split()
_EXAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "*.example.*")
_SETTINGS = (".toml",)
_GIT_CONFIG = ".git/config"
_MOST_BYTES = 1 << 20
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}")
# Sections whose keys may be the names of columns: a column called token has a type, and not a secret.
_PLAIN_SECTIONS = ("source", "export", "project")
_SECRET_KEY = re.compile(r"(?i)(?:^|[_-])(?:password|passwd|pwd|secret|token|api_?key|access_?key|secret_?key|private_?key|credentials?)$")
_URL_PASSWORD = re.compile(r"(?P<head>[A-Za-z][\w+.-]*://[^\s/:@'\"]*:)(?P<password>[^\s'\"@]+)(?=@)")
_NAMED_SECRET = re.compile(r"(?i)(?<=[?&;])[\w-]*(?:password|passwd|pwd|secret|token|key)=(?P<password>[^&#\s]+)")
_HINT = "Write ${NAME} in its place, and NAME=… in .env; or archive it as it is: --with-secrets"

_Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Masked:
    """Settings without their secrets.

    Attributes:
        content: of the file, with ``${NAME}`` where secrets stood.
        notes: what stood where, each as a sentence without its end.
    """

    content: bytes
    notes: tuple[str, ...]


def is_secret_file(name: str) -> bool:
    """Return True if a file of this name holds secrets and nothing else."""
    lower = name.lower()
    return any(fnmatch.fnmatchcase(lower, form) for form in _FILES) and not any(fnmatch.fnmatchcase(lower, form) for form in _EXAMPLES)


def without_secrets(path: Path, name: str) -> Masked | None:
    """Return settings with a ``${NAME}`` in place of each secret; None for a file that is not settings, or has none.

    Args:
        path: the file.
        name: its path in the project, with ``/`` between folders.

    Raises:
        PdbtError: a secret cannot be taken out of the file.
    """
    if not (name.endswith(_SETTINGS) or name == _GIT_CONFIG) or path.stat().st_size > _MOST_BYTES:
        return None
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    notes: list[str] = []
    if name != _GIT_CONFIG:
        text = _without_values(text, name, notes)
    text = _without_url_passwords(text, notes)
    return Masked(text.encode(), tuple(notes)) if notes else None


def _without_values(text: str, name: str, notes: list[str]) -> str:
    """Take the secrets out of the values of a TOML text; another file than the settings that is not TOML stays."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        if name.rpartition("/")[2] == FILE_NAME:
            message = f"{name} is not valid TOML, so nothing tells which of it is secret. No archive was written."
            raise PdbtError(message, "Fix it, or archive it as it is: --with-secrets") from None
        return text
    names: set[str] = set()
    for place, value in list(_texts(document, ())):
        wanted = value
        for secret in sorted(_secrets(place, value), key=lambda found: (-len(found), found)):
            variable = _variable(place, names)
            masked = _cut(wanted, secret, f"${{{variable}}}")
            if masked != wanted:
                wanted = masked
                names.add(variable)
                notes.append(f"{_dotted(place)} holds a secret; the archive has ${{{variable}}} in its place")
        if _secrets(place, wanted):
            raise _stuck(name, place)
        if wanted != value:
            text, document = _replaced(text, document, place, value, wanted, name)
    return text


def _cut(value: str, secret: str, instead: str) -> str:
    """Replace a secret where a secret stands: a password of one letter may stand in the name of the database, too."""
    if value == secret:
        return instead
    value = value.replace(f":{secret}@", f":{instead}@", 1)
    return re.sub(rf"(?<==){re.escape(secret)}(?=$|[&;#,\s'\"])", lambda _: instead, value)


def _texts(value: Any, place: _Place) -> Iterator[tuple[_Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*place, number))


def _secrets(place: _Place, value: str) -> set[str]:
    """Return the parts of a value that are secrets; what ``${NAME}`` stands for is not in it."""
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    named = place[0] not in _PLAIN_SECTIONS and _SECRET_KEY.search(key) is not None
    whole = place[:2] == ("notifications", "urls") or named
    if whole and value and not _VARIABLE.search(value):
        return {value}
    found = {match["password"] for match in _NAMED_SECRET.finditer(value)} | (passwords(value) if "://" in value else set())
    return {secret for secret in found if secret in value and _VARIABLE.sub("", secret)}


def _variable(place: _Place, taken: set[str]) -> str:
    """Return a name for the secret of a key, as WAREHOUSE_PASSWORD for connections.warehouse.url."""
    words = [str(part) for part in place]
    if place[:2] == ("notifications", "urls"):
        words = ["notification", "url", *([str(int(place[2]) + 1)] if len(place) > 2 else [])]
    elif words[-1] in ("url", "path"):
        words = [*(words[1:-1] if words[0] == "connections" else words[:-1]), "password"]
    name = re.sub(r"\W", "_", "_".join(words), flags=re.ASCII).upper()
    name = name if re.match(r"[A-Z_]", name) else f"_{name}"
    while name in taken:
        name += "_"
    return name


def _replaced(text: str, document: Any, place: _Place, value: str, wanted: str, name: str) -> tuple[str, Any]:
    """Replace one value in a TOML text, and nothing else: what results is read again and compared."""
    target = copy.deepcopy(document)
    holder = target
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = wanted
    for mark in ('"', "'"):
        written = f"{mark}{value}{mark}"
        start = text.find(written)
        while start >= 0:
            found = f"{text[:start]}{mark}{wanted}{mark}{text[start + len(written) :]}"
            try:
                if tomllib.loads(found) == target:
                    return found, target
            except tomllib.TOMLDecodeError:
                pass  # it stood inside another text
            start = text.find(written, start + 1)
    raise _stuck(name, place)


def _stuck(name: str, place: _Place) -> PdbtError:
    return PdbtError(f"{name}: the secret in {_dotted(place)} cannot be taken out. No archive was written.", _HINT)


def _without_url_passwords(text: str, notes: list[str]) -> str:
    """Mask the passwords of URLs in what is left: comments, and files that are not TOML."""

    def masked(match: re.Match[str]) -> str:
        if _VARIABLE.search(match["password"]) or set(match["password"]) <= set("*…x"):
            return match[0]
        line = text.count("\n", 0, match.start()) + 1
        notes.append(f"line {line} holds a password; the archive has {MASK} in its place")
        return f"{match['head']}{MASK}"

    return _URL_PASSWORD.sub(masked, text)


def _dotted(place: _Place) -> str:
    return ".".join(f"{part}" for part in place if isinstance(part, str))
