"""Limits of JSON texts from outside, checked before they are parsed.

`json.loads` holds the GIL from the first byte to the last: 60 MB of `[],[],…` are 20 million lists
and stop every thread for many seconds, and a deeply nested text raises RecursionError. Counting the
brackets costs 3 ns per byte and lets other threads run in between.
"""

import codecs
import re
from dataclasses import dataclass
from itertools import accumulate

_PIECE = 256 * 1024
_OTHER_BYTES = bytes(byte for byte in range(256) if byte not in b'"[]{},')
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}.__getitem__
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


class JsonRefused(ValueError):
    """A JSON text is rejected without parsing it; `status` is the HTTP status for the response."""

    status = 400


class JsonTooBig(JsonRefused):
    """Too many bytes or values."""

    status = 413


@dataclass(frozen=True)
class JsonLimits:
    """Upper limits. `containers` are arrays and objects, `values` the items in them."""

    bytes: int | None
    depth: int
    containers: int
    values: int


SMALL = JsonLimits(bytes=1024 * 1024, depth=100, containers=50_000, values=250_000)
"""A call: parsing takes the event loop some 10 ms at most."""

DOCUMENT = JsonLimits(bytes=None, depth=500, containers=1_000_000, values=5_000_000)
"""A file: 20 MB of GeoJSON or of a plot's coordinates fit; parsing takes a few 100 ms at most."""


def check(body: bytes, limits: JsonLimits) -> None:
    """Raises JsonRefused for a body that is not UTF-8 or exceeds `limits`.

    Does not check whether it is valid JSON: the parser stops at the first error, and up to there
    it sees the same brackets as this check.
    """
    if limits.bytes is not None and len(body) > limits.bytes:
        raise JsonTooBig(
            f"the body has {len(body)} bytes; at most {limits.bytes} are accepted here"
        )
    if b"\0" in body:
        # `json.loads` takes such bytes for UTF-16 or UTF-32, where other bytes are the brackets.
        raise JsonRefused("the body is not JSON in UTF-8: it has a NUL byte")
    decoder = codecs.getincrementaldecoder("utf-8")()
    containers = values = depth = 0
    in_text = False
    rest = b""
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        try:
            # In other encodings, the bytes of brackets and quotes can be parts of other characters.
            decoder.decode(piece, final=start + _PIECE >= len(body))
        except UnicodeDecodeError:
            raise JsonRefused("the body is not UTF-8") from None
        piece = rest + piece
        backslashes = len(piece) - len(piece.rstrip(b"\\"))
        rest = b"\\" if backslashes % 2 else b""
        piece = piece[: len(piece) - len(rest)]
        piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER_BYTES)
        parts = piece.split(b'"')
        outside = b"".join(parts[in_text::2])
        in_text ^= len(parts) % 2 == 0
        containers += outside.count(b"[") + outside.count(b"{")
        values += outside.count(b",")
        if containers > limits.containers or values > limits.values:
            raise JsonTooBig(
                f"the body has more than {limits.containers} arrays and objects or more than "
                f"{limits.values} values: that is too much to read at once"
            )
        depths = list(accumulate(map(_STEPS, outside.translate(None, b",")), initial=depth))
        depth = depths[-1]
        if max(depths) > limits.depth:
            raise JsonRefused(f"the body is nested more than {limits.depth} levels deep")


def check_texts(body: bytes) -> None:
    """Raises JsonRefused for half of a surrogate pair, which no database or URL can contain."""
    if _LONE_SURROGATE.search(body.replace(b"\\\\", b"__")):
        raise JsonRefused("the body has half of a surrogate pair (\\ud800 to \\udfff) in a text")
