"""Words that at least one of DuckDB, SQLite and PostgreSQL does not take as a bare name of a column or table."""

from __future__ import annotations

# Found by asking all three (tests/scaffold/test_identifiers.py asks again): each keyword that one of them documents was made a column,
# then selected, grouped and ordered by. Names of PostgreSQL's system columns, such as ctid, are among them.
RESERVED = frozenset(
    """
    add all alter analyse analyze and anti any array as asc asof asymmetric at authorization autoincrement between binary both by case
    cast check cmax cmin collate collation column commit concurrently constraint create cross ctid current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable delete desc describe distinct do drop
    else end escape except exists false fetch for foreign freeze from full glob grant group having ilike in index initially inner
    insert intersect into is isnull join lambda lateral leading left like limit localtime localtimestamp natural not nothing notnull
    null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify raise references
    returning right select semi session_user set show similar some summarize symmetric system_user table tableoid tablesample then to
    trailing transaction true union unique unpack unpivot update user using values variadic verbose when where window with xmax xmin
    """.split()
)
