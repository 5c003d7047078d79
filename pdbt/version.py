"""The version: in a module of its own, so that a room that needs it does not import all that `pdbt` offers."""

from __future__ import annotations

__version__ = "0.1.0"
