"""How rows are divided into portions, and which worker has which portions. Pure.

The rows are divided once, into as many portions as workers were asked for. Each portion keeps its
own matrix and rank. If a worker is lost, another one takes over its portion and is then two members
of the group. So no worker has to rebuild a matrix that it has, whether others are lost or return,
and the sums of a round are the same, in the same order, whichever worker computes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


def spread(rows: Sequence[int], workers: int) -> list[int]:
    """A worker for each shard so that rows are even: largest first, to whoever has least."""
    load = [0] * workers
    out = [0] * len(rows)
    for shard in sorted(range(len(rows)), key=lambda i: (-rows[i], i)):
        worker = min(range(workers), key=lambda w: (load[w], w))
        out[shard] = worker
        load[worker] += rows[shard]
    return out


def host(rows: Sequence[int], members: Collection[int]) -> dict[int, list[int]]:
    """The portions of each member, its own first; those of the absent go to whoever has least.

    Depends only on who is there, so that a worker that returns finds its portion again.

    Args:
        rows: of each portion, which is that of the worker of the same number.
    """
    out = {m: [m] for m in sorted(members)}
    load = {m: rows[m] for m in out}
    for portion in sorted(set(range(len(rows))) - set(out), key=lambda p: (-rows[p], p)):
        member = min(out, key=lambda m: (load[m], m))
        out[member].append(portion)
        load[member] += rows[portion]
    return out


def gain(rows: Sequence[int], before: Collection[int], after: Collection[int]) -> float:
    """The fraction by which a round gets shorter when the members change. A round takes as long as
    the member with the most rows."""

    def longest(members: Collection[int]) -> int:
        return max(sum(rows[p] for p in mine) for mine in host(rows, members).values())

    return 1 - longest(after) / max(1, longest(before))
