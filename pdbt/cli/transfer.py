"""`pdbt transfer`: rows from one database to another, without a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def transfer(
    origin: Annotated[str, typer.Option("--from", metavar="NAME_OR_URL", help="A connection, a URL, or a DuckDB or SQLite file.")],
    destination: Annotated[str, typer.Option("--to", metavar="NAME_OR_URL", help="The same.")],
    table: Annotated[str | None, typer.Option("--table", metavar="T", help="The table to read.")] = None,
    query: Annotated[str | None, typer.Option("--query", metavar="SQL", help="A SELECT to read, in the origin's SQL.")] = None,
    tables: Annotated[str | None, typer.Option("--tables", metavar="PATTERN", help="All matching tables, as 'sales.*'.")] = None,
    target: Annotated[str | None, typer.Option("--as", metavar="TABLE", help="The target's name; by default the table's.")] = None,
    mode: Annotated[str, typer.Option("--mode", metavar="MODE", help="replace, append or upsert.")] = "replace",
    key: Annotated[list[str] | None, typer.Option("--key", metavar="K", help="A column that identifies a row; may be repeated.")] = None,
    where: Annotated[str, typer.Option("--where", metavar="CONDITION", help="Which rows, in the origin's SQL.")] = "",
    casts: Annotated[
        list[str] | None, typer.Option("--cast", metavar="COLUMN=TYPE", help="Send a column as another type; may be repeated.")
    ] = None,
    schema: Annotated[str, typer.Option("--schema", metavar="RULE", help="evolve or freeze: may the target's columns change?")] = "evolve",
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", min=1, help="How many tables at a time; or how many connections read one.")
    ] = 1,
    project: Annotated[Path | None, typer.Option("--project", metavar="DIR", help="The project whose connections are used.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the target's DDL and an estimate of the rows, and write nothing.")
    ] = False,
) -> None:
    """Copy tables, or the rows of a query, from one database to another: all rows, or none."""
    from ..connect import choose
    from .show_transfer import carry_out_shown, pairs, show_plans

    chosen = choose(
        origin,
        destination,
        table=table,
        query=query,
        tables=tables,
        target=target,
        mode=mode,
        key=key or (),
        where=where,
        casts=pairs(casts or ()),
        schema=schema,
        parallel=parallel,
        project=project,
    )
    if dry_run:
        show_plans(chosen)
    else:
        carry_out_shown(chosen, parallel)
