"""Files with several keys: the first one is used, the others are accepted until their time is over.

Pure functions from one document to the next. An older key has the members `replaced` and
`drop_after`, in seconds since 1970, which servers ignore.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DROP_AFTER, REPLACED = "drop_after", "replaced"
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Older:
    """A key that is no longer used."""

    id: str
    replaced: float
    drop_after: float


def id_of(entry: Document) -> str:
    """A key's ID; that of a public key is called `kid`. Raises KeyError if it has none."""
    return str(entry["kid" if "kty" in entry else "id"])


def current_of(document: Document) -> str:
    """The ID of the first key."""
    return id_of(document["keys"][0])


def with_new(
    document: Document, entry: Document, used: str, now: float, drop_after: float
) -> dict[str, Any]:
    """The document with a new key in front; the one that was used may go at `drop_after`."""
    stamped = replaced(document, used, now, drop_after)
    return {**stamped, "keys": [dict(entry), *stamped["keys"]]}


def replaced(document: Document, used: str, now: float, drop_after: float) -> dict[str, Any]:
    """The document in which the key that was used may go at `drop_after`. Others stay as they are:
    an operator may have added them."""
    times = {REPLACED: now, DROP_AFTER: drop_after}
    keys = [{**one, **times} if id_of(one) == used else one for one in document["keys"]]
    return {**document, "keys": keys}


def older_of(document: Document, used: str) -> list[Older]:
    """The keys that a rotation has replaced. Others that an operator has added stay."""
    return [
        Older(id_of(one), float(one.get(REPLACED, 0.0)), float(one[DROP_AFTER]))
        for one in document["keys"]
        if DROP_AFTER in one and id_of(one) != used
    ]


def due(older: Sequence[Older], now: float) -> set[str]:
    """Which of them may go."""
    return {one.id for one in older if one.drop_after <= now}


def without(document: Document, ids: Collection[str], used: str) -> dict[str, Any]:
    """The document without these keys; never without the one that is used."""
    keys = [one for one in document["keys"] if id_of(one) == used or id_of(one) not in ids]
    return {**document, "keys": keys}
