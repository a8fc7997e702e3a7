"""Shards in the object store as XGBoost's matrices, one shard in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway_ext.xgb_ray.data.cuts import Cuts
from gateway_ext.xgb_ray.data.shards import Shard, widened

if TYPE_CHECKING:
    import xgboost as xgb


@dataclass(frozen=True)
class Layout:
    """What all matrices of one training have in common.

    Attributes:
        features: how many features there are.
        names: their names, or None (vectors without metadata).
        categories: for each categorical column its values; the code is the position.
        missing: the value that counts as missing beside null and NaN.
        max_bin: bins a feature.
    """

    features: int
    names: tuple[str, ...] | None = None
    categories: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    missing: float = float("nan")
    max_bin: int = 256

    @property
    def types(self) -> list[str] | None:
        """XGBoost's feature types, or None if all features are numbers."""
        if not self.categories or self.names is None:
            return None
        return ["c" if n in self.categories else "q" for n in self.names]

    @property
    def cardinalities(self) -> list[int]:
        """For each feature the number of its categories (0: a number)."""
        return [len(self.categories.get(n, ())) for n in self.names or [""] * self.features]


def make_reference(cuts: Cuts, layout: Layout, nthread: int) -> xgb.QuantileDMatrix:
    """The tiny matrix from which others take their cuts."""
    import xgboost as xgb

    return xgb.QuantileDMatrix(
        cuts.reference(),
        max_bin=layout.max_bin,
        nthread=nthread,
        feature_names=list(layout.names) if layout.names else None,
        feature_types=layout.types,
        enable_categorical=bool(layout.categories),
    )


def build_matrix(
    shards: Sequence[Callable[[], Shard]],
    layout: Layout,
    *,
    nthread: int,
    reference: xgb.QuantileDMatrix | None = None,
) -> xgb.QuantileDMatrix:
    """A QuantileDMatrix over shards, fetched one after the other in each of its passes.

    Args:
        shards: functions that fetch a shard; none gives a matrix without rows.
        reference: where the cuts come from; without it they are sketched, collectively if
            XGBoost's communicator is up.
    """
    import xgboost as xgb

    return xgb.QuantileDMatrix(
        shard_iterator(shards, layout),
        ref=reference,
        missing=layout.missing,
        max_bin=layout.max_bin,
        nthread=nthread,
        enable_categorical=bool(layout.categories),
    )


def shard_iterator(shards: Sequence[Callable[[], Shard]], layout: Layout) -> xgb.DataIter:
    """An iterator for XGBoost over the batches of shards."""
    import xgboost as xgb

    class Batches(xgb.DataIter):
        def __init__(self) -> None:
            self.waiting: list[dict[str, Any]] = []
            self.at = 0
            self.groups = 0
            super().__init__()

        def reset(self) -> None:
            self.waiting, self.at, self.groups = [], 0, 0

        def next(self, input_data: Any) -> bool:
            if not shards and self.at == 0:
                self.at = 1
                input_data(**_no_rows(layout))
                return True
            while not self.waiting:
                if self.at >= len(shards):
                    return False
                shard = shards[self.at]()
                self.at += 1
                self.waiting = self.batches(shard)
            input_data(**self.waiting.pop(0))
            return True

        def batches(self, shard: Shard) -> list[dict[str, Any]]:
            out = []
            for block in shard.blocks:
                batch: dict[str, Any] = {
                    "data": laid_out(block.matrix, layout),
                    "feature_names": list(layout.names) if layout.names else None,
                    "feature_types": layout.types,
                }
                for name in ("label", "weight", "margin"):
                    values = block.take(getattr(shard, name))
                    if values is not None:
                        batch["base_margin" if name == "margin" else name] = values
                if shard.qid is not None:
                    qid, weight = self.numbered(shard.qid, batch.get("weight"))
                    batch["qid"] = qid
                    if weight is not None:
                        batch["weight"] = weight
                out.append(batch)
            return out

        def numbered(
            self, qid: np.ndarray, weight: np.ndarray | None
        ) -> tuple[np.ndarray, np.ndarray | None]:
            # XGBoost wants ascending group numbers and one weight a group.
            first = np.concatenate([[True], qid[1:] != qid[:-1]])
            ids = np.cumsum(first) - 1 + self.groups
            self.groups = int(ids[-1]) + 1
            return ids, None if weight is None else weight[first]

    return Batches()


def _no_rows(layout: Layout) -> dict[str, Any]:
    return {
        "data": np.empty((0, layout.features), dtype=np.float32),
        "label": np.empty(0, dtype=np.float32),
        "feature_names": list(layout.names) if layout.names else None,
        "feature_types": layout.types,
    }


def laid_out(matrix: Any, layout: Layout) -> Any:
    """A block's matrix as XGBoost is to see it: categories as codes, null vectors of full width.

    A category that training did not know becomes missing.
    """
    if isinstance(matrix, np.ndarray) or hasattr(matrix, "indptr"):
        return widened(matrix, layout.features)
    if not layout.categories:
        return matrix
    import pyarrow as pa

    table = matrix
    for name, values in layout.categories.items():
        at = table.schema.get_field_index(name)
        column = table.column(at).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.unify_dictionaries().chunks)
        code = {v: float(i) for i, v in enumerate(values)}
        lookup = [code.get(v, np.nan) for v in column.dictionary.to_pylist()]
        table_of_codes = np.array([*lookup, np.nan], dtype=np.float32)
        positions = column.indices.fill_null(len(lookup)).to_numpy(zero_copy_only=False)
        table = table.set_column(at, name, pa.array(table_of_codes[positions]))
    return table
