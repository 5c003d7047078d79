"""Names that a database would cut: another table or column may have what is left of them, so they are refused before anything is read."""

from __future__ import annotations

from ..engine.databases.name_limits import too_long
from .address import Address
from .base import Reading, Table, TransferRefused

_DIALECTS = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MySQL",
    "mssql": "SQL Server",
    "oracle": "Oracle",
    "snowflake": "Snowflake",
}


def require_table_names(reading: Reading, origin: Address, table: Table, destination: Address) -> None:
    """Refuse a table or schema whose name the database that it is read from or written to would cut. Raises TransferRefused."""
    if reading.table is not None:
        hint = "Write the name that the table has there."
        require_name(origin, "schema", reading.table.schema, hint)
        require_name(origin, "table", reading.table.name, hint)
    require_name(destination, "schema", table.schema, "Name another schema with --as schema.table.", "Write a shorter one behind -- load:")
    require_name(destination, "table", table.name, "Give it a shorter one with --table and --as.", "Write a shorter one behind -- load:")


def require_name(address: Address, what: str, name: str, hint: str, in_script: str = "") -> None:
    """Refuse a name that a database would cut.

    Args:
        address: the database.
        what: what has the name, as "table".
        name: the name.
        hint: what to do.
        in_script: the same for who wrote it in a script of a project.

    Raises:
        TransferRefused: the database would not keep it whole.
    """
    if said := too_long(_product(address), what, name):
        raise TransferRefused(said, hint, column=name if what == "column" else "", in_script=in_script)


def _product(address: Address) -> str:
    """Return the kind of a database, also of one that is reached through SQLAlchemy: then its scheme says it."""
    if not address.driver.generic:
        return address.driver.name
    scheme = address.url.partition("://")[0].lower().removeprefix("sqlalchemy+").partition("+")[0]
    return _DIALECTS.get(scheme, "")
