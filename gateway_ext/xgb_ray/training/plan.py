"""What a training is asked to do, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway_ext.xgb_ray.data.columns import Columns
from gateway_ext.xgb_ray.data.cuts import Cuts
from gateway_ext.xgb_ray.data.matrix import Layout
from gateway_ext.xgb_ray.data.shards import ShardFacts
from gateway_ext.xgb_ray.data.sources import Source
from gateway_ext.xgb_ray.training.failures import FailurePolicy
from gateway_ext.xgb_ray.training.scaling import Scaling
from gateway_ext.xgb_ray.worker.boosting import Recipe, TrainState


@dataclass(frozen=True)
class Plan:
    """All that a training needs to know, checked.

    `sources` and `columns` are by data key, "train" among them; `evals` are pairs of a data key
    and the name to show. `start` is the state to begin from. `placement` is room that someone
    else reserved (a trial's), with the first bundle to use.
    """

    recipe: Recipe
    sources: dict[str, Source]
    columns: dict[str, Columns]
    evals: tuple[tuple[str, str], ...]
    start: TrainState
    workers: int
    cpus: float
    scaling: Scaling
    failures: FailurePolicy
    cuts: str = "sample"
    sample_rows: int | None = None
    max_bin: int = 256
    memory_bytes: int | None = None
    heartbeat_seconds: float = 15.0
    start_seconds: float = 600.0
    checkpoint_every: int = 10
    save_checkpoint: Callable[[TrainState], None] | None = None
    placement: tuple[Any, int] | None = None
    placed: Placed | None = None

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class Placed:
    """Data that is in the object store already, with its cuts: shared by trainings."""

    shards: dict[str, list[StoredShard]]
    layout: Layout
    cuts: Cuts | None


@dataclass(frozen=True)
class StoredShard:
    """A shard in the object store and the slot of the worker that has it while all are there."""

    ref: Any
    facts: ShardFacts
    home: int
