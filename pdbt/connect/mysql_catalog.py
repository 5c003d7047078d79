"""Queries to MySQL's catalogue: its tables, their columns, and what belongs to these."""

from __future__ import annotations

SCHEMA = "coalesce(nullif(%s, ''), database())"
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1, 2
"""
COLUMNS = f"""
    SELECT column_name, column_type, column_comment, extra LIKE '%%auto_increment%%', nullif(column_default, 'NULL') IS NOT NULL,
        is_nullable = 'NO' FROM information_schema.columns
    WHERE table_schema = {SCHEMA} AND table_name = %s AND coalesce(generation_expression, '') = ''
    ORDER BY ordinal_position
"""
JSON_CHECKS = f"""
    SELECT constraint_name FROM information_schema.check_constraints
    WHERE constraint_schema = {SCHEMA} AND table_name = %s AND check_clause LIKE 'json_valid(%%'
"""
COLLATIONS = f"""
    SELECT column_name, collation_name FROM information_schema.columns
    WHERE table_schema = {SCHEMA} AND table_name = %s AND collation_name IS NOT NULL
"""
