"""Which worker has which shards. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def spread(rows: Sequence[int], workers: int) -> list[int]:
    """A worker for each shard so that rows are even: largest first, to whoever has least."""
    load = [0] * workers
    out = [0] * len(rows)
    for shard in sorted(range(len(rows)), key=lambda i: (-rows[i], i)):
        worker = min(range(workers), key=lambda w: (load[w], w))
        out[shard] = worker
        load[worker] += rows[shard]
    return out


def assign(
    rows: Sequence[int], homes: Sequence[int], members: Sequence[int]
) -> Mapping[int, list[int]]:
    """The shards of each member: its own, and those of the absent given to whoever has least.

    Depends only on who is there, so that a worker that returns finds the same shards again.
    """
    out: dict[int, list[int]] = {m: [] for m in members}
    load = dict.fromkeys(members, 0)
    orphans = []
    for shard, home in enumerate(homes):
        if home in out:
            out[home].append(shard)
            load[home] += rows[shard]
        else:
            orphans.append(shard)
    for shard in sorted(orphans, key=lambda i: (-rows[i], i)):
        member = min(members, key=lambda m: (load[m], m))
        out[member].append(shard)
        load[member] += rows[shard]
    return {m: sorted(s) for m, s in out.items()}
