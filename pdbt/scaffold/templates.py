"""Templates: a folder that reads like what it makes; a name that ends in .jinja is rendered, all else is copied as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.errors import PdbtError
from .plan import inside

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

SUFFIX = ".jinja"
_PACKAGE = Path(__file__).resolve().parents[1]
_MADE_BY_PYTHON = "__pycache__"


def shipped(name: str) -> Path:
    """Return a folder that travels with pdbt, ``templates`` or ``sample``: in the wheel beside the code, in a checkout above it."""
    packed = _PACKAGE / "_shipped" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def read_tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file below the folder, in the order of their paths."""
    paths = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != _MADE_BY_PYTHON]
        inner = os.path.relpath(place, folder)
        paths += names if inner == "." else [f"{inner}/{name}" for name in names]
    for path in sorted(path.replace(os.sep, "/") for path in paths):
        yield path, (folder / path).read_bytes()


def render_tree(folder: Path, values: Mapping[str, object], only: tuple[str, ...] = ("",)) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file that the templates of the folder make.

    Paths are templates too, so that one can be named after a value. A value that a template uses and nobody gave is an error.

    Args:
        folder: the templates.
        values: what they use.
        only: the beginnings of the paths that are wanted.

    Raises:
        PdbtError: a template is at fault, or a rendered path would leave the target.
    """
    for name, content in read_tree(folder):
        path = inside(_render(name, name, values) if "{{" in name else name)
        if not path.startswith(only):
            continue
        if path.endswith(SUFFIX):
            yield path.removesuffix(SUFFIX), _render(content.decode(), name, values).encode()
        else:
            yield path, content


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    # What is rendered is TOML, Markdown and requirements, never HTML: escaping would only corrupt it.
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["toml"] = _toml_text
    return environment


@cache  # a project and its sample share templates
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


def _render(text: str, name: str, values: Mapping[str, object]) -> str:
    from jinja2 import TemplateError

    try:
        return _compiled(text).render(values)
    except TemplateError as error:
        raise PdbtError(f"The template {name} cannot be rendered: {error}.", "This is a fault of the template.") from error


def _toml_text(value: object) -> str:
    """Write a text as a basic string of TOML, whose escapes are those of JSON but for DEL."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
