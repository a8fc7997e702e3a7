"""What two workers make of the roles that columns can play is what one process makes of them.

With few rows all are in the sample, so the bins are those of one process as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import DataError, TrainResult, evaluate, predict, train

FEATURES = ["a", "b", "c"]
ROUNDS = 5
# Sums of two halves, in single precision.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    count = 3200
    frame = pd.DataFrame(rng.standard_normal((count, 3)).astype("f4"), columns=FEATURES)
    frame["number"] = (frame.a + frame.b * frame.c).astype("f4")
    frame["other"] = (frame.b - frame.a**2).astype("f4")
    frame["kind"] = np.digitize(frame.number, [-0.5, 0.5])
    frame["margin"] = (0.8 * frame.a).astype("f4")
    for i in range(3):
        frame[f"margin{i}"] = rng.standard_normal(count).astype("f4")
    frame["weight"] = rng.uniform(0.2, 3, count).astype("f4")
    frame["group"] = np.arange(count) // 10
    # XGBoost divides the weights of groups by their mean, which each worker takes of its own rows.
    # It is 1 here on whichever rows, as each part of them has whole pairs of groups.
    frame["group_weight"] = np.where(frame.group % 2, 0.2, 1.8).astype("f4")
    return frame


def both(
    frame: pd.DataFrame,
    folder: Path,
    params: dict[str, Any],
    label: str | list[str],
    meta: dict[str, Any],
    **columns: Any,
) -> tuple[TrainResult, xgb.Booster]:
    """Trained by two workers, and in one process with `meta`; the metrics are the same."""
    for i in range(4):
        part = frame.iloc[len(frame) * i // 4 : len(frame) * (i + 1) // 4]
        part.to_parquet(folder / f"{i}.parquet", row_group_size=200)
    options = {"features": FEATURES, "num_boost_round": ROUNDS, "evals": {"train": str(folder)}}
    ours = train(params, str(folder), label, **options, **columns)
    matrix = xgb.QuantileDMatrix(frame[FEATURES], frame[label], **meta)
    history: dict[str, Any] = {}
    theirs = xgb.train(
        params, matrix, ROUNDS, evals=[(matrix, "train")], evals_result=history, verbose_eval=False
    )
    assert ours.facts["workers"] == 2
    for metric, values in history["train"].items():
        np.testing.assert_allclose(ours.evals_result["train"][metric], values, **CLOSE)
    return ours, theirs


def same_margins(ours: TrainResult, theirs: xgb.Booster, frame: pd.DataFrame) -> None:
    matrix = xgb.DMatrix(frame[FEATURES])
    found, expected = (b.predict(matrix, output_margin=True) for b in (ours.booster, theirs))
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_base_margin_and_weight(rows: pd.DataFrame, tmp_path: Path) -> None:
    ours, theirs = both(
        rows,
        tmp_path,
        {"objective": "reg:squarederror", "max_depth": 3},
        "number",
        {"base_margin": rows.margin, "weight": rows.weight},
        base_margin="margin",
        weight="weight",
    )
    same_margins(ours, theirs, rows)
    found = predict(ours, str(tmp_path), base_margin="margin")
    matrix = xgb.DMatrix(rows[FEATURES], base_margin=rows.margin)
    np.testing.assert_allclose(found, theirs.predict(matrix), **CLOSE)


def test_classes_with_a_margin_each(rows: pd.DataFrame, tmp_path: Path) -> None:
    margins = [f"margin{i}" for i in range(3)]
    ours, theirs = both(
        rows,
        tmp_path,
        {
            "objective": "multi:softprob",
            "num_class": 3,
            "max_depth": 3,
            "eval_metric": ["mlogloss", "merror"],
        },
        "kind",
        {"base_margin": rows[margins], "weight": rows.weight},
        base_margin=margins,
        weight="weight",
    )
    same_margins(ours, theirs, rows)
    assert predict(ours, rows[[*FEATURES, *margins]], base_margin=margins).shape == (3200, 3)
    found = evaluate(ours, str(tmp_path), base_margin=margins, weight="weight")
    assert found["mlogloss"] == pytest.approx(ours.evals_result["train"]["mlogloss"][-1], rel=1e-4)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets(rows: pd.DataFrame, tmp_path: Path, strategy: str) -> None:
    ours, theirs = both(
        rows,
        tmp_path,
        {"objective": "reg:squarederror", "max_depth": 3, "multi_strategy": strategy},
        ["number", "other"],
        {"weight": rows.weight},
        weight="weight",
    )
    same_margins(ours, theirs, rows)
    assert predict(ours, rows).shape == (3200, 2)


def test_weighted_groups_of_a_ranking(rows: pd.DataFrame, tmp_path: Path) -> None:
    params = {
        "objective": "rank:ndcg",
        "eval_metric": ["ndcg@4", "map"],
        "max_depth": 3,
        # One pair of each row with each of the first, no draws.
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": 4,
    }
    frame = rows.assign(kind=(rows.number > 0.3).astype(int))
    # Few values, each with a bin: the sketch of rows with the weights of groups is a rough one.
    frame[FEATURES] = rows[FEATURES].round(1)
    of_groups = frame.group_weight.iloc[::10]
    ours, theirs = both(
        frame,
        tmp_path,
        params,
        "kind",
        {"qid": frame.group, "weight": of_groups},
        group="group",
        weight="group_weight",
    )
    same_margins(ours, theirs, frame)
    found = evaluate(ours, str(tmp_path), metrics=["ndcg@4"], qid="group", weight="group_weight")
    expected = ours.evals_result["train"]["ndcg@4"][-1]
    assert found["ndcg@4"] == pytest.approx(expected, rel=1e-4)
    # The rows of group 0 lie in the first and in the last file.
    apart = pd.read_parquet(tmp_path / "3.parquet").assign(group=0)
    apart.to_parquet(tmp_path / "3.parquet")
    with pytest.raises(DataError, match="sort the data by 'group'"):
        evaluate(ours, str(tmp_path), metrics=["ndcg@4"], qid="group")


VECTOR = pa.struct(
    [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("dense", {}), ("dense", {"densify": True}), ("sparse", {}), ("sparse", {"missing": 0.0})],
)
def test_files_in_which_every_vector_is_null(
    rows: pd.DataFrame, tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    frame = rows.head(400).copy()
    frame.loc[:199, FEATURES] = np.nan

    def vector(values: list[float]) -> dict[str, Any] | None:
        if np.isnan(values[0]):
            return None
        if kind == "dense":
            return {"type": 1, "values": values}
        return {"type": 0, "size": 3, "indices": [0, 1, 2], "values": values}

    vectors = pa.array([vector(v) for v in frame[FEATURES].to_numpy().tolist()], VECTOR)
    table = pa.table({"v": vectors, "number": frame.number, "group": frame.group})
    for i in range(4):
        pq.write_table(table.slice(100 * i, 100), tmp_path / f"{i}.parquet")
    params = {"objective": "reg:squarederror", "max_depth": 3}
    options = {"features": ["v"], "num_boost_round": ROUNDS, **options}
    matrix = xgb.QuantileDMatrix(frame[FEATURES].to_numpy(), frame.number)
    expected = xgb.train(params, matrix, ROUNDS).predict(matrix)
    for ranking in ({}, {"qid": "group"}):
        ours = train(params, str(tmp_path), "number", **options, **ranking)
        np.testing.assert_allclose(predict(ours, str(tmp_path)), expected, **CLOSE)
    with pytest.raises(DataError, match="'v' has no vector in the training data"):
        train(params, [tmp_path / "0.parquet", tmp_path / "1.parquet"], "number", features=["v"])
