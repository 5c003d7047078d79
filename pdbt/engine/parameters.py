"""Parameters of a run: the values of ``$name``, from pdbt.toml and the command line."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence

from .errors import GraphError, SettingsError
from .graph import Graph
from .settings import Parameter, Settings, check_parameter

# More than one type means the first, which the others are read as.
_TYPES: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "true or false"),
    ((float, int), "a number"),
    ((datetime.datetime,), "a date and time"),
    ((datetime.date,), "a date"),
    ((datetime.time,), "a time"),
    ((list,), "a list"),
)


def resolve_parameters(settings: Settings, overrides: Sequence[str]) -> dict[str, Parameter]:
    """Return the parameters of a run: those of pdbt.toml, overridden by ``name=value`` texts of the command line.

    Raises:
        SettingsError: an override is no ``name=value``, or its value is not of the type that pdbt.toml gives the name.
    """
    parameters = dict(settings.parameters)
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not name.isidentifier():
            raise SettingsError(f"--param {override} is not name=value.", "Write for example: --param country=FR", key="parameters")
        parameters[name] = _typed(name, text, parameters.get(name))
        check_parameter(name, parameters[name])
    return parameters


def check_parameters(graph: Graph, parameters: Mapping[str, Parameter], overrides: Sequence[str]) -> None:
    """Refuse a ``$name`` without a value, and an override that nothing uses.

    Raises:
        GraphError: a file uses a parameter that has no value.
        SettingsError: an override's name appears in no file and not in pdbt.toml.
    """
    used: set[str] = set()
    uses_any = False
    for node in (*graph.nodes.values(), *graph.checks):
        uses_any = uses_any or node.parameters is None
        for name in node.parameters or ():
            used.add(name)
            if name not in parameters:
                raise GraphError(
                    f"{node.label} uses ${name}, which has no value.",
                    f"Set {name} under [parameters] in pdbt.toml, or give --param {name}=VALUE.",
                )
    for name in (override.partition("=")[0] for override in overrides):
        if name not in used and not uses_any:
            known = ", ".join(f"${known}" for known in sorted(used)) or "none"
            raise SettingsError(f"--param {name}: no file of this project uses ${name}.", f"Used: {known}.", key=f"parameters.{name}")


def _typed(name: str, text: str, default: Parameter | None) -> Parameter:
    """Read a value of the command line as the type of the name's default; without a default, as TOML would, else as text."""
    if isinstance(default, str):
        return text
    value = _toml_value(text)
    if default is None:
        return text if value is None else value
    if isinstance(default, int) and not isinstance(default, bool):
        fits, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    else:
        types, wanted = next((types, wanted) for types, wanted in _TYPES if isinstance(default, types))
        fits = type(value) in types
    if value is None or not fits:
        # The default is not shown: it may come from the environment, and be a secret.
        raise SettingsError(f"--param {name}={text}: {name} is {wanted} in pdbt.toml.", f"Give {wanted}.", key=f"parameters.{name}")
    return float(value) if isinstance(default, float) and isinstance(value, int) else value


def _toml_value(text: str) -> Parameter | None:
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or a number or a nesting without end
        return None
    return value if isinstance(value, (str, int, float, datetime.date, datetime.time, list)) else None
