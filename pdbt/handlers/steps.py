"""Steps that are there: filter, map, SQL over the batch, text in one form, classes by a model."""

from __future__ import annotations

import pickle
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..connect.base import on_one_line
from ..engine.errors import BuildError, MissingLibrary, SettingsError
from .errors import BatchRefused
from .nodes import BaseHandler

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CASES = ("lower", "upper", "keep")
_SPACE = re.compile(r"\s+")


class Sql(BaseHandler):
    """Sends a SELECT over the table `batch` to DuckDB, and hands its rows on."""

    def __init__(self, query: str) -> None:
        """Keep the query.

        Args:
            query: a SELECT in DuckDB's SQL, such as ``SELECT client, sum(amount) AS total FROM batch GROUP BY client``.
        """
        self.query = query
        self._connection: duckdb.DuckDBPyConnection | None = None

    def setup(self) -> None:
        """Open a database in memory; one thread, as the processors are those of all nodes."""
        import duckdb

        self._connection = duckdb.connect(config={"threads": 1})

    def handle(self, data: pa.Table) -> pa.Table:
        """Return the rows of the query."""
        import duckdb

        assert self._connection is not None  # noqa: S101 - setup comes first
        self._connection.register("batch", data)
        try:
            found: pa.Table = self._connection.sql(self.query).to_arrow_table()
        except duckdb.Error as error:
            said = on_one_line(error).rstrip(".")
            if isinstance(error, duckdb.DataError):  # a value of this batch, such as a text that is cast to a number
                raise BatchRefused(f"Node {self.node}: {said}.", "Send another value, or use TRY_CAST in its SQL.") from error
            raise BuildError(f"Node {self.node}: {said}.", "Mend its SQL, or what comes to it.") from error
        finally:
            self._connection.unregister("batch")
        return found

    def teardown(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()


class Filter(Sql):
    """Hands on the rows for which a condition holds; a batch of which none is left ends there."""

    def __init__(self, condition: str) -> None:
        """Keep the condition.

        Args:
            condition: in DuckDB's SQL, such as ``amount > 0 AND client IS NOT NULL``.
        """
        super().__init__(f"SELECT * FROM batch WHERE {condition}")  # noqa: S608

    def handle(self, data: pa.Table) -> pa.Table | None:
        """Return the rows that are left."""
        left = super().handle(data)
        return left if left.num_rows else None


class Map(BaseHandler):
    """Hands on what a function makes of each batch."""

    def __init__(self, function: Callable[[pa.Table], object]) -> None:
        """Keep the function.

        Args:
            function: is given a pyarrow Table, and returns whatever a handler may.
        """
        self.function = function

    def handle(self, data: pa.Table) -> object:
        """Return what the function returns."""
        return self.function(data)


class NormaliseText(BaseHandler):
    """Brings text into one form: Unicode's NFKC, without space at its ends, one space for several, in one case."""

    def __init__(self, columns: Sequence[str], case: str = "lower", *, accents: bool = True) -> None:
        """Keep the values.

        Args:
            columns: the columns of text.
            case: ``lower``, ``upper`` or ``keep``.
            accents: False takes accents off, as in ``Zürich`` to ``Zurich``.

        Raises:
            SettingsError: there is no such case.
        """
        if case not in CASES:
            raise SettingsError(f"case is {case!r}.", f"Allowed: {', '.join(CASES)}.", key="case", received=case, allowed=CASES)
        self.columns = (columns,) if isinstance(columns, str) else tuple(columns)
        self.case, self.accents = case, accents

    def handle(self, data: pa.Table) -> pa.Table:
        """Return the batch with these columns in one form; NULL stays NULL."""
        import pyarrow as pa

        for name in self.columns:
            place = _place(data, name, self.node)
            kind = data.schema.field(place).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
                raise BatchRefused(f"Node {self.node}: column {name} is {kind} and no text.", "Leave it out of the columns.")
            values = [None if value is None else self.normalised(value) for value in data.column(place).to_pylist()]
            data = data.set_column(place, data.schema.field(place), pa.array(values, kind))
        return data

    def normalised(self, text: str) -> str:
        """Return a text in that form."""
        text = unicodedata.normalize("NFKC", text)
        if not self.accents:
            text = "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))
        text = _SPACE.sub(" ", text).strip()
        return text if self.case == "keep" else text.lower() if self.case == "lower" else text.upper()


class Classify(BaseHandler):
    """Adds what a model predicts for each row, and how probable it is."""

    def __init__(self, model: Any, features: str | Sequence[str], *, output: str = "label", probability: str = "") -> None:
        """Keep the values.

        Args:
            model: an object with `predict`, as those of scikit-learn; or the path of one that was pickled, which is loaded in each
                worker. A pickle runs code: load only those that you made.
            features: the columns that it is given, as a DataFrame; or the name of one column, which it is given as a list, as models
                of text want it.
            output: the column of the predictions.
            probability: the column of the highest value of `predict_proba`; none by default.

        Raises:
            SettingsError: the model has no predict, or no predict_proba where a probability is wanted.
        """
        self.model = model
        self.features = features if isinstance(features, str) else list(features)
        self.output, self.probability = output, probability
        if not isinstance(model, str | Path):
            self._check(model)

    def setup(self) -> None:
        """Load the model, if it is in a file."""
        if isinstance(self.model, str | Path):
            try:
                with Path(self.model).open("rb") as file:
                    self.model = pickle.load(file)  # noqa: S301 - the docstring says so
            except OSError as error:
                raise SettingsError(f"Node {self.node}: {self.model}: {error.strerror}.", "Name the file of a pickled model.") from error
            self._check(self.model)

    def handle(self, data: pa.Table) -> pa.Table:
        """Return the batch with the predictions."""
        import pyarrow as pa

        if not data.num_rows:
            return data
        given = self._given(data)
        data = data.append_column(self.output, pa.array(_plain(self.model.predict(given))))
        if self.probability:
            highest = [float(max(row)) for row in _plain(self.model.predict_proba(given))]
            data = data.append_column(self.probability, pa.array(highest, pa.float64()))
        return data

    def _given(self, data: pa.Table) -> Any:
        if isinstance(self.features, str):
            return data.column(_place(data, self.features, self.node)).to_pylist()
        for name in self.features:
            _place(data, name, self.node)
        try:
            return data.select(self.features).to_pandas()
        except ModuleNotFoundError:
            raise MissingLibrary("pandas", f"Node {self.node}, whose model is given several columns,") from None

    def _check(self, model: Any) -> None:
        for name in ("predict", *(["predict_proba"] if self.probability else [])):
            if not callable(getattr(model, name, None)):
                raise SettingsError(
                    f"The model {type(model).__name__} has no {name}.", "Give one as those of scikit-learn.", received=model
                )


def _place(data: pa.Table, name: str, node: str) -> int:
    """Return where a column is.

    Raises:
        BatchRefused: it is not there.
    """
    place: int = data.schema.get_field_index(name)
    if place < 0:
        raise BatchRefused(f"Node {node}: the batch has no column {name}.", f"It has {', '.join(data.column_names)}.")
    return place


def _plain(values: Any) -> list[Any]:
    """Return an array of numpy, or a list, as a list of Python's own values."""
    return list(values.tolist()) if hasattr(values, "tolist") else list(values)
