"""The tables that a database has by itself, which a SELECT may read though no file of the project makes them."""

from __future__ import annotations

_SCHEMAS = frozenset({"information_schema", "pg_catalog", "temp", "system"})
# What is reached without a schema. By its whole name: a prefix is no proof, pg_orders.csv makes a table like any other.
# What only PostgreSQL has is not here: the server itself is asked for it.
_DUCKDB = """
    duckdb_columns duckdb_constraints duckdb_databases duckdb_indexes duckdb_logs duckdb_schemas duckdb_tables duckdb_types duckdb_views
    pg_am pg_attrdef pg_attribute pg_class pg_collation pg_constraint pg_database pg_depend pg_description pg_enum pg_index pg_indexes
    pg_namespace pg_prepared_statements pg_proc pg_sequence pg_sequences pg_settings pg_tables pg_tablespace pg_type pg_views
    pragma_database_list
"""
_SQLITE = """
    sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema sqlite_sequence sqlite_stat1 sqlite_stat4 sqlite_dbpage sqlite_stmt
    pragma_analysis_limit pragma_application_id pragma_auto_vacuum pragma_automatic_index pragma_busy_timeout pragma_cache_size
    pragma_cache_spill pragma_cell_size_check pragma_checkpoint_fullfsync pragma_collation_list pragma_compile_options pragma_data_version
    pragma_defer_foreign_keys pragma_encoding pragma_foreign_key_check pragma_foreign_keys pragma_freelist_count pragma_fullfsync
    pragma_function_list pragma_hard_heap_limit pragma_ignore_check_constraints pragma_integrity_check pragma_journal_mode
    pragma_journal_size_limit pragma_legacy_alter_table pragma_locking_mode pragma_max_page_count pragma_module_list pragma_page_count
    pragma_page_size pragma_pragma_list pragma_query_only pragma_quick_check pragma_read_uncommitted pragma_recursive_triggers
    pragma_reverse_unordered_selects pragma_schema_version pragma_secure_delete pragma_soft_heap_limit pragma_synchronous pragma_table_list
    pragma_temp_store pragma_threads pragma_trusted_schema pragma_user_version pragma_writable_schema
"""
_TABLES = frozenset(_DUCKDB.split()) | frozenset(_SQLITE.split())


def is_catalog(name: str) -> bool:
    """Whether this is a table of a database's own catalog; `name` is as SQL writes it, with its schema or without."""
    schema, _, table = name.casefold().rpartition(".")
    return schema in _SCHEMAS if schema else table in _TABLES
