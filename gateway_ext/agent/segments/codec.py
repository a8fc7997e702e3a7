"""How blocks are compressed: zstd where Python has it, zlib otherwise."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple


class CodecError(ValueError):
    """A block cannot be decompressed; the text says why."""


class Codec(NamedTuple):
    """A way to compress; `name` is written into the segment."""

    name: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]


def _guarded(decompress: Callable[[bytes], bytes], error: type[Exception]) -> Any:
    def guarded(stored: bytes) -> bytes:
        try:
            return decompress(stored)
        except error as failure:
            raise CodecError(str(failure)) from failure

    return guarded


ZLIB = Codec("zlib", lambda raw: zlib.compress(raw, 1), _guarded(zlib.decompress, zlib.error))


def _zstd() -> Codec | None:
    # In the standard library from Python 3.14 on; before that only where somebody installed it.
    try:
        native: Any = importlib.import_module("compression.zstd")
        guarded = _guarded(native.decompress, native.ZstdError)
        return Codec("zstd", lambda raw: native.compress(raw, 1), guarded)
    except ImportError:
        pass
    try:
        package: Any = importlib.import_module("zstandard")
    except ImportError:
        return None

    # A compressor must not be used by two threads at once, and is cheap to make.
    def compress(raw: bytes) -> bytes:
        compressed: bytes = package.ZstdCompressor(level=1).compress(raw)
        return compressed

    def decompress(stored: bytes) -> bytes:
        raw: bytes = package.ZstdDecompressor().decompress(stored)
        return raw

    return Codec("zstd", compress, _guarded(decompress, package.ZstdError))


def best_codec() -> Codec:
    """The fastest one that there is."""
    return _zstd() or ZLIB


def codec_named(name: str) -> Codec:
    """The codec of a segment; raises CodecError if it cannot be used here."""
    if name == ZLIB.name:
        return ZLIB
    if name == "zstd" and (codec := _zstd()) is not None:
        return codec
    raise CodecError(f"segments compressed with {name!r} need a Python that has it")
