"""Which rows belong together, and which worker looks after them. Pure.

The rows are divided into as many portions as workers were asked for, once. Each portion has a
matrix and a rank of its own for good. A worker that is lost leaves its portion to another, which is
two members of the group then. So neither a loss nor a return has anyone build again what it has,
and the sums of a round are the same sums, in the same order, whoever computes them.
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
    """By which part a round gets shorter when the members change: it takes as long as the one
    with most rows."""

    def longest(members: Collection[int]) -> int:
        return max(sum(rows[p] for p in mine) for mine in host(rows, members).values())

    return 1 - longest(after) / max(1, longest(before))
