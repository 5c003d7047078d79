"""A project that exists: running it."""

from __future__ import annotations

from .classic import run_classic

__all__ = ["run_classic"]
