"""What the tasks do that bring data into the object store; `training.loading` runs them.

References to objects come nested in lists, so that Ray hands over the reference and not the object.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.data.columns import Columns
from gateway_ext.xgb_ray.data.cuts import Cuts, make_cuts, sample_fraction, sample_shard
from gateway_ext.xgb_ray.data.matrix import Layout
from gateway_ext.xgb_ray.data.shards import (
    Shard,
    ShardFacts,
    describe,
    join_shards,
    leading,
    make_shard,
    slice_shard,
)
from gateway_ext.xgb_ray.data.sources import Piece, read_piece

if TYPE_CHECKING:
    import pyarrow.fs as pafs


@dataclass(frozen=True)
class Sampling:
    """How to sample shards: the rows of the whole data set, and `cuts.sample_fraction`'s others."""

    rows: int
    max_bin: int
    wanted: int | None


def load(
    piece: Piece,
    columns: Columns,
    filesystem: pafs.FileSystem | None,
    sampling: Sampling | None,
    seed: int,
) -> list[Any]:
    """Decode a piece, in one thread; sample it while it is at hand.

    Returns:
        Its shards, then (with `sampling`) a sample of each, then a list of their facts.
    """
    table = read_piece(piece, columns, filesystem, 1)
    shards: list[Shard] = []
    samples: list[Any] = []
    facts: list[ShardFacts] = []
    for start, stop in piece.bounds():
        shard, fact = make_shard(table.slice(start, stop - start), columns, piece.where)
        shards.append(shard)
        facts.append(fact)
        if sampling is not None:
            bins = sampling.max_bin
            fraction = sample_fraction(sampling.rows, fact.features, bins, sampling.wanted)
            samples.append(sample_shard(shard, fraction, seed + len(samples), bins))
    # This process may stay, with nothing to do, beside those that need the memory.
    del table, shard
    _release_memory()
    return [*shards, *samples, facts]


def _release_memory() -> None:
    """Give back to the system what decoding has left free, in Arrow's pool and in the heap.

    The C library keeps what lies between the arrays that stay: half as much again as these.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def regroup(skip: int | None, refs: list[Any]) -> list[Any]:
    """The first shard with whole ranking groups: without a head that belongs to the shard
    before it (`skip`), and with the rest of its last group from the shards after it.

    Returns the shard, then its facts.
    """
    import ray

    own: Shard = ray.get(refs[0])
    start = 0 if skip is None else leading(own, skip)
    parts = [slice_shard(own, start, own.rows)]
    last = describe(own).last_qid
    for ref in refs[1:]:
        following: Shard = ray.get(ref)
        parts.append(slice_shard(following, 0, leading(following, last)))
    whole = join_shards(parts)
    return [whole, describe(whole)]


def cut(samples: list[Any], start: int, stop: int, layout: Layout) -> list[Cuts]:
    """The cuts of columns [start, stop), in a list."""
    import ray

    return [
        make_cuts(
            ray.get(samples),
            start,
            stop,
            max_bin=layout.max_bin,
            missing=layout.missing,
            nthread=1,
            categories=layout.cardinalities if layout.categories else (),
        )
    ]
