"""Zstandard streams: Python's own module from 3.14 on, and its backport before."""

from __future__ import annotations

import sys
from typing import IO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"\x28\xb5\x2f\xfd"
ZstdError = zstd.ZstdError


def compressed(data: bytes) -> bytes:
    """Return data compressed, with a checksum by which damage is known."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def decompressed(data: bytes) -> bytes:
    """Return data as it was compressed.

    Raises:
        ZstdError: it is damaged, or was never compressed.
        ValueError: it ends too soon.
    """
    return zstd.decompress(data)


def zstd_writer(raw: IO[bytes]) -> IO[bytes]:
    """Return a stream that compresses into another, with a checksum by which a damaged archive is known."""
    return cast("IO[bytes]", zstd.ZstdFile(raw, "wb", options={zstd.CompressionParameter.checksum_flag: 1}))


def zstd_reader(raw: IO[bytes]) -> IO[bytes]:
    """Return a stream that decompresses another."""
    return cast("IO[bytes]", zstd.ZstdFile(raw, "rb"))
