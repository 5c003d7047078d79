"""Parameters of a run: the values of ``$name``, from pdbt.toml and the command line."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import GraphError, SettingsError
from .graph import Graph
from .settings import Parameter, Settings, check_parameter

TEXT, WHOLE_NUMBER, NUMBER = "a text", "a whole number", "a number"
# In this order: true is a whole number, and a date and time a date, for Python.
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, WHOLE_NUMBER),
    (float, NUMBER),
    (datetime.datetime, "a date and time"),
    (datetime.date, "a date"),
    (datetime.time, "a time"),
    (list, "a list"),
    (str, TEXT),
)


@dataclass(frozen=True)
class Accepted:
    """What a run of a project can be given as parameters.

    Attributes:
        kinds: the names, each with what its value must be, as `kind_of` says it; empty where pdbt.toml gives none.
        anything: other names are taken too, for a Python table reads whatever there is.
    """

    kinds: Mapping[str, str]
    anything: bool = False


def kind_of(value: Parameter) -> str:
    """Say what a value is: ``a whole number``, ``a date``, or another of these words."""
    return next(kind for known, kind in _KINDS if isinstance(value, known))


def resolve_parameters(settings: Settings, overrides: Sequence[str]) -> dict[str, Parameter]:
    """Return the parameters of a run: those of pdbt.toml, overridden by ``name=value`` texts of the command line.

    Raises:
        SettingsError: an override is no ``name=value``, or its value is not of the type that pdbt.toml gives the name.
    """
    parameters = dict(settings.parameters)
    for override in overrides:
        name, text = split_override(override)
        default = settings.parameters.get(name)
        parameters[name] = read_parameter(name, text, "" if default is None else kind_of(default))
    return parameters


def split_override(override: str) -> tuple[str, str]:
    """Return name and value of a ``name=value`` text of the command line.

    Raises:
        SettingsError: it is none.
    """
    name, equals, text = override.partition("=")
    if not equals or not name.isidentifier():
        raise SettingsError(f"--param {override} is not name=value.", "Write for example: --param country=FR", key="parameters")
    return name, text


def accepted_parameters(settings: Settings, graph: Graph) -> Accepted:
    """Return what a run of a project can be given."""
    used, anything = _used(graph)
    names = used.union(settings.parameters) if anything else used
    defaults = settings.parameters
    return Accepted({name: kind_of(defaults[name]) if name in defaults else "" for name in sorted(names)}, anything)


def check_parameters(graph: Graph, parameters: Mapping[str, Parameter], overrides: Sequence[str]) -> None:
    """Refuse a ``$name`` without a value, and an override that nothing uses.

    Raises:
        GraphError: a file uses a parameter that has no value.
        SettingsError: an override's name appears in no file and not in pdbt.toml.
    """
    for node in (*graph.nodes.values(), *graph.checks):
        for name in node.parameters or ():
            if name not in parameters:
                raise GraphError(
                    f"{node.label} uses ${name}, which has no value.",
                    f"Set {name} under [parameters] in pdbt.toml, or give --param {name}=VALUE.",
                )
    used, anything = _used(graph)
    for name in (override.partition("=")[0] for override in overrides):
        if name not in used and not anything:
            known = ", ".join(f"${known}" for known in sorted(used)) or "none"
            raise SettingsError(f"--param {name}: no file of this project uses ${name}.", f"Used: {known}.", key=f"parameters.{name}")


def _used(graph: Graph) -> tuple[set[str], bool]:
    """Return the names of the parameters that files use, and whether one of them takes whatever there is."""
    asked = [node.parameters for node in (*graph.nodes.values(), *graph.checks)]
    return {name for names in asked for name in names or ()}, None in asked


def read_parameter(name: str, text: str, kind: str) -> Parameter:
    """Read a value of the command line as what it must be; where nothing says what, as TOML would, else as text.

    Args:
        name: the parameter's name.
        text: what stands behind ``name=``.
        kind: what the value must be, as `kind_of` says it, or empty.

    Raises:
        SettingsError: it is something else, or nothing that can be a parameter.
    """
    value = _typed(name, text, kind)
    check_parameter(name, value)
    return value


def _typed(name: str, text: str, kind: str) -> Parameter:
    if kind == TEXT:
        return text
    value = _toml_value(text)
    if not kind:
        return text if value is None else value
    found = "" if value is None else kind_of(value)
    if value is None or (found != kind and (found, kind) != (WHOLE_NUMBER, NUMBER)):
        # The default is not shown: it may come from the environment, and be a secret.
        raise SettingsError(f"--param {name}={text}: {name} is {kind} in pdbt.toml.", f"Give {kind}.", key=f"parameters.{name}")
    return float(value) if kind == NUMBER and isinstance(value, int) else value


def _toml_value(text: str) -> Parameter | None:
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or a number or a nesting without end
        return None
    return value if isinstance(value, (str, int, float, datetime.date, datetime.time, list)) else None
