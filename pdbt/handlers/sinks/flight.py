"""The sink of another served pipeline: batches go on by Arrow Flight, under ids that are made of theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import BatchRefused
from ..flight.client import Client, ServerRefused
from ..flight.put import LONGEST_ID
from ..nodes import BaseSink, Batch

if TYPE_CHECKING:
    import pyarrow as pa


class FlightSink(BaseSink):
    """Sends batches to a node of another served pipeline, and is done with each when that has acknowledged it."""

    def __init__(self, url: str, node: str, *, token: str = "", tls_ca: bytes | None = None, patience: float = 60.0) -> None:
        """Keep the values; nothing is connected to.

        Args:
            url: the server: grpc://host:port, or grpc+tls://host:port.
            node: the producer that the batches are for.
            token: the token that the server asks for.
            tls_ca: the PEM of the certificate that signed the server's; None for those of the system.
            patience: how long to try while nothing is acknowledged, in seconds; then it is an error of this node.
        """
        self.url, self.to, self._token, self._tls_ca, self._patience = url, node, token, tls_ca, patience
        self._client: Client | None = None

    def setup(self) -> None:
        """Prepare the client."""
        self._client = Client(self.url, token=self._token, tls_ca=self._tls_ca, window=64, patience=self._patience)

    def store(self, batches: Sequence[Batch]) -> Sequence[int | Exception]:
        """Send batches, and wait until each is acknowledged."""
        try:
            return self._sent([batch.table for batch in batches], [self._id(batch.batch_id) for batch in batches])
        except ServerRefused as error:
            if len(batches) == 1:
                return [BatchRefused(error.message, error.hint) if error.invalid else error]
        return [stored for batch in batches for stored in self.store([batch])]

    def teardown(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()

    def _sent(self, tables: list[pa.Table], ids: list[str]) -> list[int]:
        assert self._client is not None  # noqa: S101 - setup comes first
        return [ack.rows_stored for ack in self._client.send(self.to, iter(tables), ids=ids)]

    def _id(self, batch_id: str) -> str:
        """Return the id under which a batch goes on: with this node, since another may send other rows of the same batch to the same place.

        One that grew too long on its way is shortened to a hash.
        """
        told = f"{batch_id}/{self.node}"
        return told if len(told) <= LONGEST_ID else hashlib.sha256(told.encode()).hexdigest()
