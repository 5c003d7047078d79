"""Plans: what would be made again, and the reason that a person is given."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdbt.engine.errors import GraphError, SettingsError
from pdbt.engine.files import discover_sources, file_stat, file_token, stamp
from pdbt.engine.graph import Graph, read_graph
from pdbt.engine.parameters import check_parameters, resolve_parameters
from pdbt.engine.plan import Planner
from pdbt.engine.selects import Reader
from pdbt.engine.settings import Parameter, load_settings
from pdbt.engine.state import ExportState, State, TableState

READER = Reader({}, {})  # one for all: each opens a DuckDB of its own
FILES = {
    "pdbt.toml": "[parameters]\nsince = 2024-01-01\n",
    "data/source/orders.csv": "id\n1\n",
    "data/source/customers.csv": "id\n1\n",
    "scripts/processed/CLEAN.sql": "SELECT * FROM ORDERS WHERE day >= $since",
    "scripts/processed/SCORED.py": "from ._model import score\ndef table(CLEAN): ...",
    "scripts/processed/_model.py": "score = 1",
    "scripts/final/TOTALS.sql": "SELECT count(*) AS orders FROM SCORED",
    "scripts/final/PEOPLE.sql": "SELECT * FROM CUSTOMERS",
    "scripts/checks/SOME.sql": "SELECT * FROM TOTALS WHERE orders = 0",
}


class Project:
    """A project on disk, and the state that a run of it would leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State()
        self.runs = 0

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        hour_ago = path.stat().st_mtime_ns - 3600 * 10**9 + 5
        os.utime(path, ns=(hour_ago, hour_ago))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def graph(self) -> Graph:
        return read_graph(self.folder, discover_sources(self.folder).tables, READER, lambda name: name == "SHARED")

    def planner(self, *overrides: str, full: bool = False) -> Planner:
        options = load_settings(self.folder)
        return Planner(options, self.graph(), self.state, resolve_parameters(options, overrides), full)

    def plan(self, *overrides: str, full: bool = False) -> dict[str, str]:
        """Return what is due, each step with its reason."""
        return {f"{step.action} {step.name}": step.reason for step in self.planner(*overrides, full=full).steps() if step.reason}

    def run(self) -> None:
        """Leave the state that a run would leave that made what is due."""
        planner = self.planner()
        due = planner.rebuilt()
        self.runs += 1
        for name in planner.dropped():
            del self.state.tables[name]
        for node in planner.graph.nodes.values():
            if node.name not in due:
                continue
            labels = planner.file_labels(node)
            stamps = {label: stamp(path) for path, label in labels.items()}
            self.state.stamps.update(stamps)
            definition = planner.source_definition(node, stamps) if node.source else planner.definition(node)
            inputs = {name: self.state.tables[name].version for name in node.inputs}
            self.state.tables[node.name] = TableState(definition, inputs, f"{node.name}.{self.runs}", 1)
        self.state.checks = {check.name: planner.check_definition(check) for check in planner.graph.checks}
        for path, node in planner.exports().items():
            self.write(path, "x")
            self.state.exports[path] = ExportState(self.state.tables[node.name].version, file_token(self.folder / path) or "")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that was run."""
    project = Project(tmp_path)
    for name, text in FILES.items():
        project.write(name, text)
    project.run()
    return project


def downstream_of_clean(reason: str) -> dict[str, str]:
    return {
        "build CLEAN": reason,
        "build SCORED": "CLEAN is made again",
        "build TOTALS": "SCORED is made again",
        "check SOME": "TOTALS is made again",
        "export data/processed/CLEAN.csv": "CLEAN is made again",
        "export data/processed/SCORED.csv": "SCORED is made again",
        "export data/final/TOTALS.csv": "TOTALS is made again",
    }


def test_everything_is_new_before_the_first_run(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name, text in FILES.items():
        project.write(name, text)
    assert [f"{step.action} {step.name}: {step.reason}" for step in project.planner().steps()] == [
        "import CUSTOMERS: new",
        "import ORDERS: new",
        "build CLEAN: new",
        "build PEOPLE: new",
        "build SCORED: new",
        "build TOTALS: new",
        "check SOME: new",
        "export data/processed/CLEAN.csv: CLEAN is made again",
        "export data/final/PEOPLE.csv: PEOPLE is made again",
        "export data/processed/SCORED.csv: SCORED is made again",
        "export data/final/TOTALS.csv: TOTALS is made again",
    ]


def test_nothing_is_due_after_a_run(project: Project) -> None:
    assert project.plan() == {}


def test_full_is_everything(project: Project) -> None:
    plan = project.plan(full=True)
    assert len(plan) == 11
    assert {reason for step, reason in plan.items() if not step.startswith("export")} == {"--full"}


def test_a_changed_source_concerns_what_reads_it(project: Project) -> None:
    project.write("data/source/orders.csv", "id\n2\n")
    plan = project.plan()
    assert plan.pop("import ORDERS") == "data/source/orders.csv changed"
    assert plan == downstream_of_clean("ORDERS is made again")


def test_a_source_that_was_only_touched_concerns_nothing(project: Project) -> None:
    os.utime(project.folder / "data/source/orders.csv")
    assert project.plan() == {}


def test_a_touched_source_is_read_once_and_then_known(project: Project) -> None:
    path = project.folder / "data/source/orders.csv"
    then = path.stat().st_mtime_ns - 7200 * 10**9
    os.utime(path, ns=(then, then))
    project.plan()
    assert project.state.stamps["data/source/orders.csv"].certain(file_stat(path))


def test_a_file_that_joins_or_leaves_a_folder_is_named(project: Project) -> None:
    project.write("data/source/days/a.csv", "x\n1\n")
    project.run()
    project.write("data/source/days/b.csv", "x\n1\n")
    assert project.plan()["import DAYS"] == "data/source/days/b.csv is new"
    project.run()
    project.remove("data/source/days/a.csv")
    assert project.plan()["import DAYS"] == "data/source/days/a.csv is gone"


def test_changed_sql_concerns_what_reads_it(project: Project) -> None:
    project.write("scripts/processed/CLEAN.sql", "SELECT * FROM ORDERS WHERE day > $since")
    assert project.plan() == downstream_of_clean("its text changed")


def test_a_changed_helper_concerns_the_python_table(project: Project) -> None:
    project.write("scripts/processed/_model.py", "score = 2")
    plan = project.plan()
    assert plan["build SCORED"] == "its text changed"
    assert "build CLEAN" not in plan


def test_a_changed_parameter_concerns_what_uses_it(project: Project) -> None:
    assert project.plan("since=2024-01-02") == downstream_of_clean("parameter $since changed")
    project.write("pdbt.toml", "[parameters]\nsince = 2024-01-02\nunused = 1\n")
    assert project.plan() == downstream_of_clean("parameter $since changed")


def test_a_parameter_of_another_type_is_another(project: Project) -> None:
    project.write("pdbt.toml", '[parameters]\nsince = "2024-01-01"\n')
    assert project.plan() == downstream_of_clean("parameter $since changed")


def test_a_state_holds_no_parameters_value(project: Project, tmp_path: Path) -> None:
    project.write("pdbt.toml", '[parameters]\nsince = "hunter2-correct-horse"\n')
    project.run()
    project.state.save(tmp_path / "state.json")
    assert "hunter2" not in (tmp_path / "state.json").read_text(encoding="utf-8")


def test_changed_settings_of_a_source_import_it_again(project: Project) -> None:
    project.write("pdbt.toml", FILES["pdbt.toml"] + '[source.ORDERS]\ndelimiter = ";"\n')
    plan = project.plan()
    assert plan["import ORDERS"] == "its settings changed"
    assert "import CUSTOMERS" not in plan


def test_a_changed_check_runs_alone(project: Project) -> None:
    project.write("scripts/checks/SOME.sql", "SELECT * FROM TOTALS WHERE orders < 1")
    assert project.plan() == {"check SOME": "its text changed"}


def test_what_is_gone_is_dropped(project: Project) -> None:
    for name in ("scripts/final/PEOPLE.sql", "data/source/customers.csv"):
        project.remove(name)
    assert project.plan() == {"drop CUSTOMERS": "nothing makes it any more", "drop PEOPLE": "nothing makes it any more"}


@pytest.mark.parametrize(
    ("harm", "reason"), [(Path.unlink, "it is missing"), (lambda path: path.write_text("mine"), "it was changed by something else")]
)
def test_an_export_that_is_not_as_it_was_left_is_written_again(project: Project, harm: Callable[[Path], object], reason: str) -> None:
    harm(project.folder / "data/final/PEOPLE.csv")
    assert project.plan() == {"export data/final/PEOPLE.csv": reason}


def test_another_format_writes_every_export_and_builds_nothing(project: Project) -> None:
    project.write("pdbt.toml", FILES["pdbt.toml"] + '[export]\nformat = "parquet"\n')
    assert project.plan() == {
        f"export data/{path}.parquet": "new" for path in ("processed/CLEAN", "processed/SCORED", "final/TOTALS", "final/PEOPLE")
    }


def test_what_somebody_else_may_change_is_read_again(project: Project) -> None:
    project.write("scripts/checks/SHARED.sql", "SELECT * FROM SHARED WHERE false")
    project.run()
    assert project.plan() == {"check SHARED": "reads SHARED, which this project does not make"}


def test_a_source_that_cannot_be_read_is_left_to_the_import(project: Project) -> None:
    project.remove("data/source/orders.csv")
    (project.folder / "data/source/orders.csv").symlink_to(project.folder / "nothing.csv")
    assert project.plan()["import ORDERS"] == "data/source/orders.csv changed"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[list[int]], set[int]]:
    """Draw tables, each with the earlier ones that it reads, and those of them that are edited."""
    reads: list[list[int]] = [
        draw(st.lists(st.sampled_from(range(number)), unique=True, max_size=3)) if number else [] for number in range(8)
    ]
    return reads, draw(st.sets(st.integers(0, 7)))


@settings(max_examples=25, deadline=None)
@given(graphs())
def test_an_edit_concerns_exactly_what_follows_from_it(drawn: tuple[list[list[int]], set[int]]) -> None:
    reads, edited = drawn
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.write("pdbt.toml", "")
        for number, inputs in enumerate(reads):
            project.write(f"scripts/processed/T{number}.py", f"def table({', '.join(f'T{other}' for other in inputs)}): ...")
        project.run()
        for number in edited:
            path = project.folder / f"scripts/processed/T{number}.py"
            project.write(f"scripts/processed/T{number}.py", path.read_text() + "  # edited")
        concerned = set(edited)
        for number, inputs in enumerate(reads):
            if concerned & set(inputs):
                concerned.add(number)
        assert set(project.planner().rebuilt()) == {f"T{number}" for number in concerned}
        project.run()
        assert project.plan() == {}


# Parameters ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("default", "override", "value"),
    [
        ("'a'", "x=5", "5"),
        ("'a'", "x=", ""),
        ("'a'", "x=a=b", "a=b"),
        ("1", "x=-5", -5),
        ("1.5", "x=5", 5.0),
        ("true", "x=false", False),
        ("[1]", "x=[2, 3]", [2, 3]),
        (None, "x=FR", "FR"),
        (None, "x=5", 5),
        (None, "x='5'", "5"),
        (None, "x=true", True),
    ],
)
def test_the_command_line_overrides_with_the_type_of_the_setting(
    project: Project, default: str | None, override: str, value: Parameter
) -> None:
    project.write("pdbt.toml", "" if default is None else f"[parameters]\nx = {default}\n")
    found = resolve_parameters(load_settings(project.folder), [override])["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("default", "override", "message", "hint"),
    [
        ("1", "x", "--param x is not name=value.", "Write for example: --param country=FR"),
        ("1", "=5", "--param =5 is not name=value.", "Write for example: --param country=FR"),
        ("1", "a-b=5", "--param a-b=5 is not name=value.", "Write for example: --param country=FR"),
        ("1", "x=a", "--param x=a: x is a whole number in pdbt.toml.", "Give a whole number."),
        ("1", "x=1.5", "--param x=1.5: x is a whole number in pdbt.toml.", "Give a whole number."),
        ("1", "x=true", "--param x=true: x is a whole number in pdbt.toml.", "Give a whole number."),
        ("true", "x=1", "--param x=1: x is true or false in pdbt.toml.", "Give true or false."),
        ("1.5", "x=true", "--param x=true: x is a number in pdbt.toml.", "Give a number."),
        ("2024-01-01", "x=1.1.2024", "--param x=1.1.2024: x is a date in pdbt.toml.", "Give a date."),
        ("2024-01-01T10:00:00", "x=2024-01-01", "x is a date and time in pdbt.toml.", "Give a date and time."),
        ("10:00:00", "x=10", "--param x=10: x is a time in pdbt.toml.", "Give a time."),
        ("[1]", "x=1", "--param x=1: x is a list in pdbt.toml.", "Give a list."),
        ("1", "x=99999999999999999999", "parameters.x is 99999999999999999999.", "at most 64 bits"),
        ("[1]", "x=[[1]]", "parameters.x is [[1]].", "a list of some of these"),
    ],
)
def test_an_override_that_does_not_fit_is_a_sentence(project: Project, default: str, override: str, message: str, hint: str) -> None:
    project.write("pdbt.toml", f"[parameters]\nx = {default}\n")
    with pytest.raises(SettingsError) as caught:
        resolve_parameters(load_settings(project.folder), [override])
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_parameter_without_a_value_is_named_with_its_file(project: Project) -> None:
    project.write("scripts/final/BY_COUNTRY.sql", "SELECT * FROM CUSTOMERS WHERE country = $country")
    with pytest.raises(GraphError) as caught:
        check_parameters(project.graph(), project.planner().parameters, [])
    assert caught.value.message == "scripts/final/BY_COUNTRY.sql uses $country, which has no value."
    assert caught.value.hint == "Set country under [parameters] in pdbt.toml, or give --param country=VALUE."


def test_an_override_that_nothing_uses_is_refused_unless_python_may_use_it(project: Project) -> None:
    parameters = project.planner().parameters
    with pytest.raises(SettingsError, match=r"^--param sinse: no file of this project uses \$sinse\. Used: \$since\.$"):
        check_parameters(project.graph(), parameters, ["sinse=2024-01-01"])
    check_parameters(project.graph(), parameters, ["since=2024-01-01"])
    project.write("scripts/final/ANY.py", "def table(parameters): ...")
    check_parameters(project.graph(), parameters, ["sinse=2024-01-01"])
