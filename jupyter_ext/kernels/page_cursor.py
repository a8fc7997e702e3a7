"""What a page that speaks `fleet.v1` says about its stream when it opens a websocket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_ext.wire.frames import SUBPROTOCOL
from jupyter_ext.wire.routes import channels_url

_ID, _NUMBER = re.compile("[0-9a-f]{32}"), re.compile("[0-9]{1,18}")


class CursorError(ValueError):
    """The query of the websocket is not that of a page."""


@dataclass(frozen=True)
class PageCursor:
    """A page's stream: its ID, the last number that the page has, and the journal of that."""

    stream: str
    received: int | None
    journal: str | None

    def address(self, owner: str, kernel_id: str, session_id: str) -> str:
        """The websocket of the stream at the gateway `owner`."""
        return channels_url(
            owner,
            kernel_id,
            session_id,
            self.stream,
            self.received,
            launching=True,
            journal=self.journal,
            cursor=True,
        )


def page_cursor(offered: str, query: Mapping[str, Sequence[bytes]]) -> PageCursor | None:
    """The cursor of a page whose websocket offers these subprotocols (the header's value) and has
    this query; None for all other clients. Raises CursorError."""
    stream = _value(query, "stream")
    if stream is None or SUBPROTOCOL not in map(str.strip, offered.split(",")):
        return None
    received, journal = _value(query, "received"), _value(query, "journal")
    if not _ID.fullmatch(stream) or (journal is not None and not _ID.fullmatch(journal)):
        raise CursorError("stream and journal must be 32 hexadecimal digits")
    if received is not None and not _NUMBER.fullmatch(received):
        raise CursorError("received must be a number of at most 18 digits")
    return PageCursor(stream, None if received is None else int(received), journal)


def _value(query: Mapping[str, Sequence[bytes]], name: str) -> str | None:
    values = query.get(name)
    return values[-1].decode(errors="replace") if values else None
