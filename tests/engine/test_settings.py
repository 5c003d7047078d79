"""Settings: what pdbt.toml may say, what a person is told when it says something else, and what nobody is shown."""

from __future__ import annotations

import datetime
import math
from pathlib import Path

import pytest

from pdbt.engine.errors import SettingsError
from pdbt.engine.settings import load_settings
from tests.engine.settings_files import PASSWORD, load, refusal

# What holds ---------------------------------------------------------------------------------------------------------------


def test_an_empty_file_is_a_duckdb_project_named_after_its_folder(project: Path) -> None:
    settings = load(project, "")
    assert settings.name == project.name
    assert settings.database_type == "duckdb"
    assert settings.database_path == project / "db" / "database.duckdb"
    assert settings.database_url is None
    assert settings.lock_timeout == 30
    assert settings.export_format == "csv"
    assert settings.options_for("ANY").on_error == "fail"
    assert settings.dagster.schedule == "*/5 * * * *"
    assert settings.parameters == {}


def test_every_key_is_read(project: Path) -> None:
    settings = load(
        project,
        f"""
[project]
name = "shop"
template_version = "1"
[database]
type = "commune"
path = "elsewhere/x.db"
url = "postgresql://me:{PASSWORD}@h:5432/d"
lock_timeout = 2.5
[source]
on_error = "reject"
[source.orders]
delimiter = "||"
decimal = ","
encoding = "windows-1252"
header = 2
types = {{ zip = "varchar", amount = "decimal(10,2)" }}
on_error = "fail"
[export]
format = "parquet"
[parameters]
since = 2024-01-31
[dagster]
port = 3000
schedule = "0 * * * *"
timezone = "Europe/Paris"
retries = 2
[connections.warehouse]
url = "${{NOT_SET_UNTIL_IT_IS_USED}}"
[notifications]
urls = ["slack://a/b/c"]
on = ["failure", "late", "empty"]
""",
    )
    assert (settings.name, settings.template_version) == ("shop", "1")
    assert settings.database_path == project / "elsewhere" / "x.db"
    assert settings.database_url == f"postgresql://me:{PASSWORD}@h:5432/d"
    assert settings.lock_timeout == 2.5
    options = settings.options_for("ORDERS")
    assert (options.delimiter, options.decimal, options.encoding, options.header, options.on_error) == (
        "||",
        ",",
        "windows-1252",
        2,
        "fail",
    )
    assert options.types == {"zip": "VARCHAR", "amount": "DECIMAL(10,2)"}
    assert settings.options_for("OTHERS").on_error == "reject"
    assert settings.export_format == "parquet"
    assert settings.parameters == {"since": datetime.date(2024, 1, 31)}
    assert (settings.dagster.port, settings.dagster.timezone, settings.dagster.retries) == (3000, "Europe/Paris", 2)
    assert settings.connections == {"warehouse": "${NOT_SET_UNTIL_IT_IS_USED}"}
    assert settings.notification_urls == ("slack://a/b/c",)
    assert settings.notify_on == ("failure", "late", "empty")


@pytest.mark.parametrize(("database", "file"), [("duckdb", "database.duckdb"), ("sqlite", "database.sqlite"), ("commune", "database.db")])
def test_each_type_has_its_published_file(project: Path, database: str, file: str) -> None:
    assert load(project, f'[database]\ntype = "{database}"').database_path == project / "db" / file


@pytest.mark.parametrize("section", ["orders", "Orders", "ORDERS"])
def test_the_settings_of_a_source_apply_whatever_their_case(project: Path, section: str) -> None:
    settings = load(project, f'[source.{section}]\ndelimiter = ";"')
    assert settings.options_for("ORDERS").delimiter == ";"


def test_the_settings_of_a_source_may_be_named_after_its_file(project: Path) -> None:
    settings = load(project, '[source."sample data-2"]\ndelimiter = ";"')
    assert settings.options_for("SAMPLE_DATA_2").delimiter == ";"


def test_what_is_said_of_no_table_is_noticed_with_a_suggestion(project: Path) -> None:
    settings = load(project, '[source.ORDRS]\ndelimiter = ";"\n[source.CUSTOMERS]\ndelimiter = ";"')
    (sentence,) = settings.stray_sources(["ORDERS", "CUSTOMERS"])
    assert sentence == "pdbt.toml: [source.ORDRS] does nothing: data/source makes no table ORDRS. Did you mean ORDERS?"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(project: Path) -> None:
    (project / "pdbt.toml").write_bytes(b'\xef\xbb\xbf[project]\r\nname = "caf\xc3\xa9"\r\n')
    assert load_settings(project).name == "café"


def test_parameters_of_every_toml_type(project: Path) -> None:
    parameters = dict(
        load(
            project,
            """
[parameters]
text = "it's"
whole = -3
decimal = 0.5
infinite = -inf
nothing = nan
yes = true
day = 2024-02-29
moment = 2024-02-29T10:00:00
zoned = 2024-02-29T10:00:00+02:00
clock = 10:00:00
many = ["a", 1, 2024-01-01]
""",
        ).parameters
    )
    assert str(parameters.pop("nothing")) == "nan"
    assert parameters == {
        "text": "it's",
        "whole": -3,
        "decimal": 0.5,
        "infinite": -math.inf,
        "yes": True,
        "day": datetime.date(2024, 2, 29),
        "moment": datetime.datetime(2024, 2, 29, 10),
        "zoned": datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        "clock": datetime.time(10),
        "many": ["a", 1, datetime.date(2024, 1, 1)],
    }


# What is refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[databse]\ntype = "duckdb"', "there is no section [databse].", "Did you mean [database]?"),
        ('name = "x"', "there is no section [name].", "Allowed: [project], [database]"),
        ('database = "duckdb"', 'database is "duckdb".', "It must be a section: [database]."),
        ("[project]\nname = 5", "project.name is 5.", "It must be a text."),
        (
            '[dagster]\nschedule = "every day"',
            'dagster.schedule = "every day" is no cron expression.',
            "Write minute hour day month weekday",
        ),
        ('[project]\nname = ""', 'project.name is "".', "It must be a text."),
        ("[database]\ntyp = 'duckdb'", "[database] has no key 'typ'.", "Did you mean type?"),
        ("[database]\nType = 'duckdb'", "[database] has no key 'Type'.", "Did you mean type?"),
        ("[database]\ntype = 'mysql'", 'database.type is "mysql".', 'It must be "duckdb" | "sqlite" | "commune".'),
        ("[database]\ntype = true", "database.type is true.", 'It must be "duckdb" | "sqlite" | "commune".'),
        ("[database]\nlock_timeout = '30'", 'database.lock_timeout is "30".', "It must be a number of seconds, 0 or more."),
        ("[database]\nlock_timeout = -1", "database.lock_timeout is -1.", "It must be a number of seconds, 0 or more."),
        ("[database]\nlock_timeout = nan", "database.lock_timeout is nan.", "It must be a number of seconds, 0 or more."),
        ("[database]\nlock_timeout = true", "database.lock_timeout is true.", "It must be a number of seconds, 0 or more."),
        ("[source]\non_error = 'ignore'", 'source.on_error is "ignore".', 'It must be "fail" | "reject".'),
        (
            "[source]\ndelimiter = ';'",
            "delimiter is set for all sources; it differs from one to the next.",
            "[source.ORDERS] delimiter = …",
        ),
        ("[source]\nORDERS = ';'", "[source] has no key 'ORDERS'.", "Allowed: on_error, [source.NAME] for tables."),
        ("[source.A]\ndelim = ';'", "[source.A] has no key 'delim'.", "Did you mean delimiter?"),
        ("[source.A]\ndelimiter = ''", 'source.A.delimiter is "".', "It must be one or more characters, none of them a line end."),
        ('[source.A]\ndelimiter = "\\n"', 'source.A.delimiter is "\\n".', "It must be one or more characters, none of them a line end."),
        ('[source.A]\ndate_order = "YDM"', 'source.A.date_order is "YDM".', 'It must be "DMY" | "MDY" | "YMD".'),
        ("[source.A]\ndate_order = 1", "source.A.date_order is 1.", 'It must be "DMY" | "MDY" | "YMD".'),
        ("[source.A]\ndecimal = ';'", 'source.A.decimal is ";".', 'It must be "." | ",".'),
        ("[source.A]\nencoding = 'utf-88'", 'source.A.encoding is "utf-88".', "It must be an encoding that Python knows"),
        ("[source.A]\nencoding = 'base64'", 'source.A.encoding is "base64".', "It must be an encoding that Python knows"),
        ("[source.A]\nheader = 4", "source.A.header is 4.", "It must be true, false, or the number of header rows (0 to 3)."),
        ("[source.A]\ntypes = { zip = 'STRING' }", 'source.A.types is {"zip": "STRING"}.', "TYPE one of BOOLEAN, INTEGER"),
        ("[source.A]\ntypes = { zip = 'DECIMAL(40,2)' }", 'source.A.types is {"zip": "DECIMAL(40,2)"}.', "DECIMAL(p,s)"),
        ("[source.A]\ntypes = { zip = 'DECIMAL(4,6)' }", 'source.A.types is {"zip": "DECIMAL(4,6)"}.', "DECIMAL(p,s)"),
        ("[source.a]\ndecimal = ','\n[source.A]\ndecimal = ','", "two sections are [source.A].", "Keep one of them."),
        ("[export]\nformat = 'xls'", 'export.format is "xls".', 'It must be "csv" | "parquet" | "json" | "xlsx".'),
        ("[dagster]\nport = true", "dagster.port is true.", "It must be a port, 1024 to 65535."),
        ("[dagster]\nport = 80", "dagster.port is 80.", "It must be a port, 1024 to 65535."),
        ("[dagster]\nport = 70000", "dagster.port is 70000.", "It must be a port, 1024 to 65535."),
        ("[dagster]\nport = '3000'", 'dagster.port is "3000".', "It must be a port, 1024 to 65535."),
        ("[dagster]\nretries = 1.5", "dagster.retries is 1.5.", "It must be a whole number, 0 or more."),
        ("[connections]\nwarehouse = 'x'", "[connections] has no key 'warehouse'.", "Allowed: [connections.NAME] for connections."),
        ("[connections.warehouse]", "connections.warehouse.url is missing.", "It must be a text."),
        ("[connections.warehouse]\nuser = 'x'", "[connections.warehouse] has no key 'user'.", "Allowed: url."),
        ("[notifications]\non = ['always']", 'notifications.on is ["always"].', 'It must be a list of "failure", "late", "empty".'),
        ("[parameters]\n'a-b' = 1", 'parameter "a-b" cannot be written as $name in SQL.', "Use letters, digits and _."),
        ("[parameters.x]\ny = 1", 'parameters.x is {"y": 1}.', "It must be a text, number, true or false, date, time, or a list"),
        ("[parameters]\nx = []", "parameters.x is [].", "It must be a text, number"),
        ("[parameters]\nx = [[1]]", "parameters.x is [[1]].", "It must be a text, number"),
        ("[parameters]\nx = 9223372036854775808", "parameters.x is 9223372036854775808.", "at most 64 bits, or a text."),
        ('[parameters]\nx = "a\\u0000b"', 'parameters.x is "a\\u0000b".', "It must be a text without NUL characters"),
        (
            "[database]\nurl = 'postgresql://h/d'",
            'database.url is set, but database.type is "duckdb"',
            'Set type = "commune", or remove url.',
        ),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(project: Path, text: str, message: str, hint: str) -> None:
    error = refusal(project, text)
    assert error.message.startswith("pdbt.toml: ")
    assert message in error.message
    assert hint in error.hint
    assert error.key


def test_a_fault_carries_its_data(project: Path) -> None:
    error = refusal(project, "[database]\nlock_timeout = 'x'")
    assert (error.key, error.received, error.allowed) == ("database.lock_timeout", "x", "a number of seconds, 0 or more")


def test_a_folder_without_the_file_is_no_project(project: Path) -> None:
    with pytest.raises(SettingsError, match=r"is not a pdbt project: it has no pdbt\.toml\. Make one with: pdbt new NAME"):
        load_settings(project)


@pytest.mark.parametrize("text", ["[project", "name = x", 'a = "', "x = 2024-13-01", "x = " + "[" * 5000, "x = " + "9" * 5000])
def test_what_is_no_toml_is_a_sentence(project: Path, text: str) -> None:
    assert "pdbt.toml is not valid TOML: " in refusal(project, text).message


def test_what_is_no_utf8_is_a_sentence(project: Path) -> None:
    (project / "pdbt.toml").write_bytes(b'[project]\nname = "caf\xe9"')
    with pytest.raises(SettingsError, match=r"pdbt\.toml is not UTF-8 text\. Save it as UTF-8\."):
        load_settings(project)


def test_a_folder_called_pdbt_toml_is_a_sentence(project: Path) -> None:
    (project / "pdbt.toml").mkdir()
    with pytest.raises(SettingsError, match=r"pdbt\.toml cannot be read: Is a directory"):
        load_settings(project)
