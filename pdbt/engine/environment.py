"""What a setting takes from the environment, and the texts that must therefore never be shown."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

from .errors import PdbtError, SettingsError

MASK = "***"
ENVIRONMENT_FILE = ".env"
# A value of the environment shorter than this keeps no secret, and masking it would riddle every log with asterisks.
SECRET_CHARACTERS = 4
# A secret shorter than this is masked as a whole word only: "post" must not eat into "postgresql".
LONG_SECRET_CHARACTERS = 8

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ASSIGNMENT = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>.*?))\s*(?:(?<=\s)\#.*)?"""
)
# The head begins where a word does, so that a long word without :// is looked at once; the password goes on to the last @.
_URL_PASSWORD = re.compile(r"(?<![\w+.-])(?P<head>[a-zA-Z][\w+.-]*://[^\s/:@]*:)\S+(?=@)")
_NAMED_PASSWORD = re.compile(r"(?i)(?P<head>(?:password|passwd|pwd|token|secret)=)(?P<password>'[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)")
_RESERVED_IN_USERINFO = re.compile(r"[^\w.~!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})", re.ASCII)


class Environment:
    """Values for ``${NAME}``: the process's environment first, then the project's .env file.

    Attributes:
        secrets: texts that were filled in and that nobody may see.
    """

    def __init__(self, file: Path, settings_name: str) -> None:
        """Begin without reading anything.

        Args:
            file: the .env file, which need not exist.
            settings_name: the file whose settings are filled in, for error texts.
        """
        self._file = file
        self._settings_name = settings_name
        self._values: dict[str, str] | None = None
        self.secrets: set[str] = set()

    def fill(self, text: str, key: str, *, secret: bool = True) -> str:
        """Replace each ``${NAME}`` of a setting by its value.

        Args:
            text: the setting as written.
            key: its dotted key.
            secret: whether the values are to be kept from logs.

        Raises:
            SettingsError: a name is nowhere set.
        """

        def value_of(match: re.Match[str]) -> str:
            value = self._value(match[1], key)
            if secret and len(value) >= SECRET_CHARACTERS:
                self.secrets.add(value)
            return value

        return _VARIABLE.sub(value_of, text)

    def fill_url(self, url: str, key: str) -> str:
        """Replace each ``${NAME}`` of a URL; a user or password is encoded where it must be, and the password kept from logs.

        Raises:
            SettingsError: a name is nowhere set.
        """
        start, end = url.find("://") + len("://"), url.rfind("@")

        def value_of(match: re.Match[str]) -> str:
            value = self._value(match[1], key)
            if not start <= match.start() < end:
                return value
            self.secrets.add(value)
            return _RESERVED_IN_USERINFO.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), value)

        filled = _VARIABLE.sub(value_of, url)
        self.secrets |= passwords(filled)
        return filled

    def _value(self, name: str, key: str) -> str:
        value = os.environ.get(name)
        if value is None:
            if self._values is None:
                self._values = read_env_file(self._file)
            value = self._values.get(name)
        if not value:
            state = "not set" if value is None else "empty"
            raise SettingsError(
                f"{self._settings_name}: {key} uses ${{{name}}}, which is {state}.",
                f"Set {name} in the environment or in {self._file.name}.",
                key=key,
            )
        return value


def read_env_file(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; ``export``, quotes around a value, blank lines and # comments are understood.

    Raises:
        PdbtError: the file is there and cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise PdbtError(f"{path} cannot be read.", "It must be UTF-8 text that you may read.") from None
    values: dict[str, str] = {}
    for match in map(_ASSIGNMENT.fullmatch, lines):
        if match:
            values[match["name"]] = next(match[kind] for kind in ("double", "single", "bare") if match[kind] is not None)
    return values


def passwords(url: str) -> set[str]:
    """Return the passwords that a URL holds, each as written and as a driver may show it: decoded."""
    from urllib.parse import unquote

    found = {match["password"] for match in _NAMED_PASSWORD.finditer(url)}
    _, _, rest = url.partition("://")
    user, _, tail = rest.partition(":")
    at = tail.find("@")
    if at >= 0 and not set("@/?#") & set(user):
        host = re.compile(r"[/?#]|$").search(tail, at)
        found.add(tail[: tail.rfind("@", 0, host.start() if host else None)])
    return {text for password in found for text in (password, unquote(password)) if text}


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with these secrets, and whatever stands where a URL or a driver has a password, masked."""
    secrets = tuple(secrets)
    if secrets:
        text = _pattern(secrets).sub(MASK, text)
    if "://" in text and "@" in text:  # a run asks for each of its lines, and few have any of this
        text = _URL_PASSWORD.sub(rf"\g<head>{MASK}", text)
    return _NAMED_PASSWORD.sub(rf"\g<head>{MASK}", text) if "=" in text else text


@functools.lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern of all secrets, the longest first, so that none leaves the end of another behind."""
    return re.compile("|".join(_secret_pattern(secret) for secret in sorted(secrets, key=len, reverse=True)))


def _secret_pattern(secret: str) -> str:
    escaped = re.escape(secret)
    if len(secret) >= LONG_SECRET_CHARACTERS:
        return escaped
    before = r"(?<!\w)" if re.match(r"\w", secret) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", secret) else ""
    return f"{before}{escaped}{after}"
