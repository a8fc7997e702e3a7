"""Sizes and times as an operator types and reads them."""

from __future__ import annotations

import argparse
import re

_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def size(text: str) -> int:
    """Bytes of `500M` or `4G` (powers of 1024); raises argparse.ArgumentTypeError."""
    return round(_quantity(text.upper().removesuffix("B"), _BYTES, text, "500M, 4G, or 0"))


def duration(text: str) -> int:
    """Seconds of `90s`, `30m`, `8h` or `2d`; raises argparse.ArgumentTypeError."""
    return round(_quantity(text, _SECONDS, text, "90s, 30m, 8h, or 0"))


def lifetime(text: str) -> int:
    """As `duration`, for what lives for some time."""
    return round(_quantity(text, _SECONDS, text, "90s, 30m, 8h"))


def size_text(count: int) -> str:
    """Bytes as `size` reads them, in the largest unit that leaves no fraction: `1536M`, `4G`."""
    return _text(count, _BYTES)


def duration_text(seconds: int) -> str:
    """Seconds as `duration` reads them, in the same way: `90s`, `8h`."""
    return _text(seconds, {unit: length for unit, length in _SECONDS.items() if unit})


def _text(count: int, units: dict[str, int]) -> str:
    if not count:
        return "0"
    unit = max((one for one in units if count % units[one] == 0), key=lambda one: units[one])
    return f"{count // units[unit]}{unit}"


def _quantity(text: str, units: dict[str, int], typed: str, examples: str) -> float:
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]?)", text)
    if found is None or found[2] not in units:
        raise argparse.ArgumentTypeError(f"{typed!r} is not valid: use a value such as {examples}")
    return float(found[1]) * units[found[2]]
