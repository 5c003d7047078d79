"""TOML files, read with their faults told in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import SettingsError


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        FileNotFoundError: there is none.
        SettingsError: it cannot be read, or is no TOML.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:  # tomllib lets Python's own errors through for numbers and nesting without end
        raise SettingsError(f"{path} is not valid TOML: {error}.", 'Texts stand in quotes: name = "value".') from None
