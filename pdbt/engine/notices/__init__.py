"""Notices: a job that fails is told of once, and once more when it works again, through whatever Apprise can reach."""

from __future__ import annotations

from .book import FILE, Incident, Notices, Sender

__all__ = ["FILE", "Incident", "Notices", "Sender"]
