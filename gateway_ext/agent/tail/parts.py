"""What is in the next part of the journal that is to be kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import NamedTuple

from gateway_ext.agent.entry import Entry, Reach
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.requests.index import Record
from gateway_ext.agent.requests.runs import Runs, extend
from jupyter_ext.wire.journal_parts import MOST_RAW_BYTES

PART_BYTES = 2**20
"""A part has about so many bytes of messages, or one message that is longer."""
MOST_REQUESTS = 100
_LONGEST_RECORD = 2048
_MOST_RUNS = 1000
_MESSAGES_A_TURN = 100
"""The event loop gets a turn after as many."""
_RECORD_BYTES = 16
"""More than a part has beside each message."""

_KEPT = frozenset({Reach.EVERYBODY, Reach.SESSION_AND_CURSORS, Reach.CURSORS})
"""Outputs, states, replies of cells, why others did not end, and what pages are told of requests.
Other replies interest only who asked, and a replay has no messages of its own."""


class Taken(NamedTuple):
    """Messages of the journal up to the number `last`, and which of them are gone."""

    last: int
    messages: list[tuple[int, bytes]]
    missing: Runs


def is_kept(entry: Entry) -> bool:
    """Whether the message is worth keeping, and not too long."""
    return entry.audience.reach in _KEPT and not is_too_long(entry)


def is_too_long(entry: Entry) -> bool:
    """Whether no part can have the message."""
    return len(entry.message) + _RECORD_BYTES > MOST_RAW_BYTES


async def take(journal: Journal, after: int) -> Taken:
    """The messages of one part that follow the number `after`; at least one number of them, of
    which there must be some."""
    number, newest, size, turn = after + 1, journal.last, 0, 0
    messages: list[tuple[int, bytes]] = []
    missing: Runs = []
    while (number := journal.past_superseded(number - 1) + 1) <= newest and size < PART_BYTES:
        turn += 1
        if turn % _MESSAGES_A_TURN == 0:
            await asyncio.sleep(0)
        entry = await journal.read(number)
        if entry is None:
            # Millions of numbers may be gone.
            following = min(max(journal.next_from(number + 1), number + 1), newest + 1)
            for first, last in journal.lacking([[number, following - 1]]):
                _add_run(missing, first, last)
            number = following
            continue
        if is_kept(entry):
            if size and size + len(entry.message) + _RECORD_BYTES > MOST_RAW_BYTES:
                break
            size += len(entry.message) + _RECORD_BYTES
            messages.append((number, entry.message))
        elif entry.audience.reach in _KEPT:
            _add_run(missing, number, number)
        number += 1
    return Taken(min(number - 1, newest), messages, missing)


def _add_run(missing: Runs, first: int, last: int) -> None:
    extend(missing, first, _MOST_RUNS)
    missing[-1][1] = max(missing[-1][1], last)


def unfinished(records: Iterable[Record]) -> list[dict[str, object]]:
    """What is kept of the requests that have not ended: the oldest ones, one of which runs."""
    found: list[dict[str, object]] = []
    for record in records:
        if record.state == "done":
            continue
        shown = record.shown()
        # Ids come from clients, and may have any length.
        if len(json.dumps(shown)) <= _LONGEST_RECORD:
            found.append(shown)
        if len(found) == MOST_REQUESTS:
            break
    return found
