"""How data is cut into pieces, and which columns play which part."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.xgb_ray.data.columns import parse_columns
from gateway_ext.xgb_ray.data.sources import (
    MAX_SHARD_ROWS,
    Unit,
    open_source,
    plan_pieces,
    same_data,
)
from gateway_ext.xgb_ray.errors import DataError, ParameterError
from gateway_ext.xgb_ray.training.params import check_params

units = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 3)), min_size=1, max_size=40).map(
    lambda rows: [Unit(n, f"file-{f}", i) for i, (n, f) in enumerate(rows)]
)


@given(units, st.integers(1, 9))
def test_every_row_is_in_one_shard_and_every_worker_can_have_one(
    units: list[Unit], workers: int
) -> None:
    pieces = plan_pieces(units, workers)
    assert sum(p.rows for p in pieces) == sum(u.rows for u in units)
    read = [(p.path, g) for p in pieces for g in p.row_groups]
    assert sorted(read) == sorted((u.path, u.row_group) for u in units)
    shards = [b - a for p in pieces for a, b in p.bounds()]
    assert all(rows > 0 for rows in shards)
    assert len(shards) >= min(workers, sum(u.rows for u in units))
    assert sum(shards) == sum(u.rows for u in units)


def test_large_row_groups_are_cut_and_small_ones_read_together() -> None:
    (large,) = plan_pieces([Unit(10 * MAX_SHARD_ROWS, "a", 0)], 1)
    assert large.parts == 10
    small = plan_pieces([Unit(10, "a", i) for i in range(100)], 2)
    assert len(small) <= math.ceil(1000 / 125) + 1


def test_the_same_data_is_read_once() -> None:
    table = pa.table({"a": [1]})
    assert same_data(table, table)
    assert same_data(["x", "y"], ["x", "y"])
    assert not same_data("x", "y")
    assert not same_data(table, pa.table({"a": [1]}))


def test_several_uris_and_patterns(tmp_path: Path) -> None:
    for i in range(3):
        pq.write_table(pa.table({"a": [i]}), tmp_path / f"p-{i}.parquet")
    uris = [f"file://{tmp_path}/p-{i}.parquet" for i in range(3)]
    for data in (uris, f"file://{tmp_path}/p-?.parquet", f"file://{tmp_path}/*", str(tmp_path)):
        assert [u.path for u in open_source(data, "d").units] == [
            str(tmp_path / f"p-{i}.parquet") for i in range(3)
        ]
    with pytest.raises(DataError, match="no Parquet file is found at"):
        open_source(f"file://{tmp_path}/q*.parquet", "d")


SCHEMA = pa.schema(
    [
        ("a", pa.float64()),
        ("b", pa.int64()),
        ("s", pa.string()),
        ("t", pa.timestamp("s")),
        ("y", pa.int8()),
        ("a<1", pa.int8()),
    ]
)


def test_parts_of_columns() -> None:
    columns = parse_columns("y", features=["b", "a"], weight="a").others
    assert columns == ("y", "a")
    resolved = parse_columns("y", features=["b", "s"], categorical=["s"]).resolve(SCHEMA, "d")
    assert resolved.needed == ("b", "s", "y")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (parse_columns("z"), "no column 'z'"),
        (parse_columns("y"), "'s'.*categorical"),
        (parse_columns("y", features=["t"]), "'t'.*not a number"),
        (parse_columns("y", features=["y"]), "both"),
        (parse_columns("y", features=["t"], categorical=["t"]), "'t'.*cannot be categorical"),
        (parse_columns("y", features=["a<1"]), "'a<1'.*rename it"),
        (parse_columns("y", features=["a"], densify=True), "Spark vector"),
    ],
)
def test_columns_that_cannot_play_their_part(columns: object, words: str) -> None:
    with pytest.raises((DataError, ParameterError), match=words):
        columns.resolve(SCHEMA, "d")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"nthread": 3}, "cpus_per_worker"),
        ({"tree_method": "exact"}, "must be hist"),
        ({"booster": "gblinear"}, "gbtree or dart"),
        ({"objective": "binary:logit"}, "cannot be used"),
        ({"etta": 1, "lamda": 2}, "etta, lamda"),
    ],
)
def test_parameters_that_xgboost_would_not_understand(
    params: dict[str, object], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        check_params(params)


def test_aliases_are_known() -> None:
    good = {
        "eta": 0.1,
        "reg_lambda": 1,
        "min_split_loss": 0,
        "monotone_constraints": {"a": 1},
        "eval_metric": ["auc", "error@0.4"],
        "objective": "multi:softprob",
        "num_class": 3,
    }
    assert check_params(good)["tree_method"] == "hist"
