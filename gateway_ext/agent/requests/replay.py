"""The answer to a page that asks what its cells lack.

A replay is one entry of the journal for each part of about 1 MB. Such an entry names the messages
and does not have them: they are read and merged when it is sent, and again if it is sent again, so
that a replay takes little of the journal's memory and disk. The index is compressed: that of
thousands of cells would push others' output out of the journal.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import repeat
from typing import Any

from gateway_ext.agent.entry import Audience, Entry, Reach
from gateway_ext.agent.journal import Journal
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import (
    FLEET_CHANNEL,
    MessageError,
    join_v1,
    parse_part,
    split_fleet,
    split_v1,
)

from .index import Record, RequestIndex
from .merged_streams import MergedStreams
from .runs import Runs, union, without

PART_BYTES = 2**20
_MESSAGES_A_TURN = 100
"""The event loop gets a turn after as many."""


@dataclass(frozen=True)
class Restarted:
    """The kernel's process that ended last: 1, 2, …, or 0 if none has, why, and the user who has
    had it ended, if that was one."""

    process: int
    reason: str
    by: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What a page gets: the index, the records whose messages it lacks, up to which numbers it has
    something of these, the process that ended last, if that had run something and nothing was run
    since, who has used the processes in the index, and after which number each process began."""

    index: list[dict[str, Any]]
    records: list[Record]
    held: list[int]
    restarted: Restarted | None
    people: Mapping[str, list[str | None]] = field(default_factory=dict)
    processes: list[tuple[int, int]] = field(default_factory=list)


def lost_process(index: RequestIndex, ended: Restarted) -> Restarted | None:
    """The process that ended last, if it had run something and nothing was run since: its variables
    are gone."""
    last = max((record.process for record in index), default=ended.process + 1)
    return ended if last <= ended.process else None


def wanted(index: RequestIndex, cells: Mapping[str, Any], ended: Restarted) -> Wanted:
    """What a page lacks that has `{cell: {request, number} or null}`: of each cell the latest
    request, unless it is done and the page has all of it."""
    described, records, numbers = [], [], []
    for cell, record in index.latest().items():
        has = cells.get(cell)
        held = isinstance(has, dict) and record.is_held(has.get("request"), has.get("number"))
        described.append(record.shown() | {"held": held, "gone": cell not in cells})
        if not held or record.state != "done":
            records.append(record)
            if isinstance(has, dict) and isinstance(number := has.get("number"), int):
                numbers.append(number)
    return Wanted(described, records, numbers, lost_process(index, ended))


def in_parts(journal: Journal, numbers: Runs) -> tuple[list[Runs], Runs]:
    """The numbers in pieces of about PART_BYTES, and those whose messages are gone."""
    parts: list[Runs] = [[]]
    size = 0
    for first, last in numbers:
        for start, end, length in journal.sizes(first, last):
            if parts[-1] and size + length > PART_BYTES:
                parts.append([])
                size = 0
            parts[-1].append([start, end])
            size += length
    return parts, journal.lacking(without(numbers, union(parts)))


def stops_within(runs: Runs, missing: Runs, held: list[int]) -> list[int]:
    """The numbers after which messages of these runs are not merged with those before: the last one
    of each hole, and of what the page has."""
    last = {last for _, last in missing} | set(held)
    return sorted(one for one in last if runs and runs[0][0] <= one < runs[-1][1])


def requests_within(records: Iterable[Record], parts: Iterable[Runs]) -> Iterator[list[str]]:
    """For each of these parts, which are in order, the requests that may have messages there: all
    of thousands in each of thousands of parts would be more than the journal has room for."""
    coming = deque(sorted((r for r in records if r.numbers), key=lambda r: r.numbers[0][0]))
    reached: list[Record] = []
    for runs in parts:
        if not runs:
            yield []
            continue
        while coming and coming[0].numbers[0][0] <= runs[-1][1]:
            reached.append(coming.popleft())
        reached = [record for record in reached if record.numbers[-1][1] >= runs[0][0]]
        yield [record.request for record in reached]


def append_replay(
    journal: Journal,
    append: Callable[[Audience, bytes, bool], Entry],
    session: str,
    asked: bytes,
    answer: Wanted,
) -> None:
    """Add the replay for a page of this session to the journal; `asked` is the header of its
    question. Nothing comes between the parts."""
    parts, missing = in_parts(journal, union(record.numbers for record in answer.records))
    fence = journal.last + len(parts)
    mixed = any(record.has_others for record in answer.records)
    within: Iterable[list[str] | None]
    within = requests_within(answer.records, parts) if mixed else repeat(None)
    for number, (runs, requests) in enumerate(zip(parts, within, strict=False), 1):
        recipe = {
            "runs": union([runs]),
            "requests": requests,
            "missing": [],
            "stops": stops_within(runs, missing, answer.held),
        }
        content: dict[str, Any] = {"part": number, "parts": len(parts), "fence": fence}
        if number == 1:
            recipe["missing"] = missing
            restarted = None if answer.restarted is None else asdict(answer.restarted)
            content |= {"index": answer.index, "limit": journal.limit, "restarted": restarted}
            content |= {"people": answer.people, "processes": answer.processes}
        message = make_message("", FLEET_CHANNEL, "replay", asked, content)
        channel, (header, parent, _, packed) = split_fleet(message)
        named = json.dumps(recipe).encode()
        stored = join_v1(channel, [header, parent, named, zlib.compress(packed, 1)])
        append(Audience(Reach.REPLAY, session), stored, False)


async def replayed(journal: Journal, stored: bytes) -> bytes:
    """The part of a replay, in the v1 layout, that an entry of the journal names."""
    channel, (header, parent, recipe, packed) = split_fleet(stored)
    named, content = parse_part(recipe), zlib.decompress(packed)
    requests = None if named["requests"] is None else frozenset(named["requests"])
    merged, missing = MergedStreams(), [named["missing"]]
    stops = deque(named["stops"])
    turn = 0
    for first, last in journal.without_superseded(named["runs"]):
        for number in range(first, last + 1):
            turn += 1
            if turn % _MESSAGES_A_TURN == 0:
                await asyncio.sleep(0)
            while stops and stops[0] < number:
                stops.popleft()
                merged.end_run()
            entry = await journal.read(number)
            if entry is None:
                lacks = journal.lacking([[number, number]])
                missing.append(lacks)
                if lacks:
                    merged.end_run()
            elif requests is None or _belongs(entry.message, requests):
                merged.add(number, entry.message)
    numbered = merged.finish()
    more = {"numbers": [number for number, _ in numbered], "missing": union(missing)}
    # Joined as text: the index may be long.
    joined = content[:-1] + b", " + json.dumps(more).encode()[1:]
    return join_v1(channel, [header, parent, b"{}", joined, *(message for _, message in numbered)])


def _belongs(message: bytes, requests: frozenset[str]) -> bool:
    """Whether it answers one of the requests or changes a display: runs may have others' too."""
    try:
        _, (header, parent, *_) = split_v1(message)
        answers = parse_part(parent).get("msg_id") in requests
        return answers or parse_part(header).get("msg_type") == "update_display_data"
    except (MessageError, ValueError):
        # On a channel that no kernel has: it is the agent's own.
        return False
