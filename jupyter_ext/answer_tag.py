"""Which answers get an ETag."""

from __future__ import annotations

from typing import Any

LONGEST_TAGGED = 256 * 1024
"""Bytes of the longest answer that is hashed for its ETag."""


class ShortAnswersTagged:
    """For handlers with long responses. Tornado would hash each on the event loop, which takes 1 ms
    per megabyte, and pages never ask whether these responses have changed."""

    def compute_etag(self: Any) -> str | None:
        if sum(len(part) for part in self._write_buffer) > LONGEST_TAGGED:
            return None
        tag: str | None = super().compute_etag()  # type: ignore[misc]
        return tag
