"""Dagster's process of a project: launched, found again, asked, stopped.

Each module is loaded by who needs it: `launch` and `stop` are the scripts of ``macro/``, `status` and `logfile` tell of an instance,
`server` is what the launched process does. Only the last one, and what it uses, imports Dagster.
"""
