"""A project that exists: running it, and its Dagster."""

from __future__ import annotations

from .classic import run_classic
from .dagster import dagster_log, dagster_status, launch_dagster, stop_dagster, workspace_log

__all__ = ["dagster_log", "dagster_status", "launch_dagster", "run_classic", "stop_dagster", "workspace_log"]
