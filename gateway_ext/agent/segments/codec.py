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
    decompress: Callable[[bytes, int], bytes]
    """Of what is compressed, and how many bytes it may have, so that no file can fill the memory;
    raises CodecError."""


def _guarded(decompress: Callable[[bytes, int], bytes], error: type[Exception]) -> Any:
    def guarded(stored: bytes, most_bytes: int) -> bytes:
        try:
            # One more than wanted, since 0 would mean any number.
            raw = decompress(stored, most_bytes + 1)
        except error as failure:
            raise CodecError(str(failure)) from failure
        if len(raw) > most_bytes:
            raise CodecError(f"there are more than {most_bytes} bytes in it")
        return raw

    return guarded


def _zlib_decompress(stored: bytes, most_bytes: int) -> bytes:
    return zlib.decompressobj().decompress(stored, most_bytes)


ZLIB = Codec("zlib", lambda raw: zlib.compress(raw, 1), _guarded(_zlib_decompress, zlib.error))


def _zstd() -> Codec | None:
    # In the standard library from Python 3.14 on; before that only where somebody installed it.
    try:
        native: Any = importlib.import_module("compression.zstd")
        guarded = _guarded(
            lambda stored, most_bytes: native.ZstdDecompressor().decompress(stored, most_bytes),
            native.ZstdError,
        )
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

    def decompress(stored: bytes, most_bytes: int) -> bytes:
        # Its `max_output_size` counts only for what does not say its own length.
        with package.ZstdDecompressor().stream_reader(stored) as reader:
            raw: bytes = reader.read(most_bytes)
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
