"""`train` on a real Ray cluster, compared with `xgboost.train` on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import DataError, ParameterError, TrainingError, TrainResult, train
from gateway_ext.xgb_ray.errors import ClusterError

PARAMS = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": 4}
FEATURES = [f"x{i}" for i in range(6)]


def plain(frame: pd.DataFrame, rounds: int, **meta: Any) -> tuple[xgb.Booster, dict[str, Any]]:
    matrix = xgb.QuantileDMatrix(frame[FEATURES], frame["label"], **meta)
    history: dict[str, Any] = {}
    booster = xgb.train(
        PARAMS, matrix, rounds, evals=[(matrix, "train")], evals_result=history, verbose_eval=False
    )
    return booster, history


@pytest.mark.parametrize("cuts", ["sample", "full"])
def test_the_metrics_are_those_of_one_process(
    parquet: Path, frame: pd.DataFrame, cuts: str
) -> None:
    result = train(
        PARAMS,
        str(parquet),
        "label",
        num_boost_round=8,
        evals={"train": str(parquet)},
        features=FEATURES,
        cuts=cuts,
    )
    _, history = plain(frame, 8)
    ours, theirs = result.evals_result["train"], history["train"]
    assert result.state == "finished"
    assert result.rounds == len(ours["logloss"]) == 8
    # A sample of all rows gives the very cuts of one process; the collective sketch only nearly.
    tolerance = 1e-6 if cuts == "sample" else 0.06
    np.testing.assert_allclose(ours["logloss"], theirs["logloss"], rtol=tolerance)
    # XGBoost's AUC over several workers is an average of theirs, by itself not exact.
    np.testing.assert_allclose(ours["auc"], theirs["auc"], rtol=max(tolerance, 1e-3))
    assert result.booster.num_boosted_rounds() == 8
    assert result.booster.feature_names == FEATURES
    # Read once, although it is also an eval set: one set of shards.
    assert result.facts["rows"] == len(frame)


@pytest.mark.long
def test_every_kind_of_data_gives_the_same_model(parquet: Path, frame: pd.DataFrame) -> None:
    import ray

    options: dict[str, Any] = {
        "num_boost_round": 3,
        "features": FEATURES,
        "workers": 1,
        "weight": "weight",
        "evals": None,
    }
    table = pa.Table.from_pandas(frame)
    sources = [
        str(parquet / "*.parquet"),
        sorted(parquet.glob("*.parquet")),
        pads.dataset(parquet, format="parquet"),
        table,
        frame,
        ray.data.from_arrow(table),
    ]
    margins = []
    matrix = xgb.DMatrix(frame[FEATURES])
    for source in sources:
        booster = train(PARAMS, source, "label", **options).booster
        margins.append(booster.predict(matrix))
    for other in margins[1:]:
        np.testing.assert_allclose(other, margins[0], atol=1e-6)


def test_a_dataset_is_what_it_says(parquet: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    def trained(data: Any) -> TrainResult:
        return train(PARAMS, data, "label", num_boost_round=2)

    whole = pads.dataset(parquet, format="parquet")
    some = trained(whole.filter(pads.field("x0") > 0))
    assert some.facts["rows"] == (frame.x0 > 0).sum()
    few = pa.schema([whole.schema.field(n) for n in ("x0", "x1", "label")])
    assert trained(pads.dataset(parquet, schema=few)).booster.feature_names == ["x0", "x1"]
    table = pa.Table.from_pandas(frame[["x0", "label"]].assign(day=frame.index % 2))
    partitioning = pads.partitioning(pa.schema([("day", pa.int64())]), flavor="hive")
    pads.write_dataset(table, tmp_path / "d", format="parquet", partitioning=partitioning)
    by_day = pads.dataset(tmp_path / "d", partitioning=partitioning)
    assert trained(by_day).booster.feature_names == ["x0", "day"]


def test_callbacks_metric_and_early_stopping(parquet: Path) -> None:
    def brier(predicted: np.ndarray, matrix: xgb.DMatrix) -> tuple[str, float]:
        return "brier", float(np.mean((predicted - matrix.get_label()) ** 2))

    class Slower(xgb.callback.TrainingCallback):
        def before_iteration(self, model: Any, epoch: int, history: Any) -> bool:
            model.set_param("eta", 0.9 if epoch < 20 else 0.0)
            return False

    result = train(
        PARAMS,
        str(parquet),
        "label",
        num_boost_round=60,
        features=FEATURES,
        evals={"test": str(parquet / "part-0.parquet")},
        callbacks=[Slower()],
        custom_metric=brier,
        early_stopping_rounds=3,
    )
    # Without a rate nothing improves after round 20, so it ends three rounds later.
    assert 20 <= result.rounds <= 24
    assert result.best_iteration is not None
    brier_line = result.evals_result["test"]["brier"]
    assert len(brier_line) == result.rounds
    assert brier_line[10] < brier_line[0]


def test_custom_objective_and_continuation(parquet: Path) -> None:
    def logistic(margin: np.ndarray, matrix: xgb.DMatrix) -> tuple[np.ndarray, np.ndarray]:
        p = 1 / (1 + np.exp(-margin))
        return p - matrix.get_label(), p * (1 - p)

    params = {"max_depth": 3, "base_score": 0.0, "monotone_constraints": {"x0": 1}}
    first = train(params, str(parquet), "label", num_boost_round=3, features=FEATURES, obj=logistic)
    both = train(
        params,
        str(parquet),
        "label",
        num_boost_round=2,
        features=FEATURES,
        obj=logistic,
        xgb_model=first.booster,
    )
    assert both.booster.num_boosted_rounds() == 5
    grid = pd.DataFrame(np.zeros((50, 6)), columns=FEATURES)
    grid["x0"] = np.linspace(-3, 3, 50)
    line = both.booster.predict(xgb.DMatrix(grid), output_margin=True)
    assert (np.diff(line) >= -1e-6).all()
    assert line[-1] > line[0]


@pytest.mark.long
def test_ranking_keeps_groups_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(300), rng.integers(2, 30, 300))
    frame = pd.DataFrame({"a": rng.standard_normal(len(groups)), "qid": groups})
    frame["b"] = rng.standard_normal(len(groups))
    frame["rel"] = (frame.a + 0.3 * rng.standard_normal(len(groups)) > 0.5).astype(int)
    path = tmp_path / "rank.parquet"
    frame.to_parquet(path, row_group_size=101)
    params = {"objective": "rank:ndcg", "eval_metric": "ndcg@5"}
    result = train(
        params,
        str(path),
        "rel",
        qid="qid",
        num_boost_round=5,
        workers=3,
        evals={"train": str(path)},
    )
    assert result.evals_result["train"]["ndcg@5"][-1] > 0.8
    # XGBoost averages ndcg over groups: a divided group would change their number and the value.
    matrix = xgb.DMatrix(frame[["a", "b"]], frame["rel"], qid=frame["qid"])
    result.booster.set_param({"eval_metric": "ndcg@5"})
    whole = float(result.booster.eval(matrix).split(":")[-1])
    assert result.evals_result["train"]["ndcg@5"][-1] == pytest.approx(whole, abs=1e-9)


@pytest.mark.long
def test_categories_mean_the_same_on_every_worker(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = 4000
    city = rng.choice(["oslo", "rome", "bonn", "kyiv"], rows)
    frame = pd.DataFrame({"city": city, "x": rng.standard_normal(rows)})
    effect = {"oslo": 0, "rome": 3, "bonn": -3, "kyiv": 1}
    frame["y"] = frame.city.map(effect) + 0.1 * rng.standard_normal(rows)
    frame = frame.sort_values("city")  # each worker sees other categories
    path = tmp_path / "c.parquet"
    frame.to_parquet(path, row_group_size=500)
    result = train(
        {"objective": "reg:squarederror", "eta": 1.0},
        str(path),
        "y",
        categorical=["city"],
        num_boost_round=4,
        evals={"train": str(path)},
    )
    assert result.evals_result["train"]["rmse"][-1] < 0.25


def test_checkpoint_and_resume(parquet: Path, tmp_path: Path) -> None:
    keep = tmp_path / "run.ubj"
    options: dict[str, Any] = {
        "features": FEATURES,
        "evals": {"train": str(parquet)},
        "checkpoint_path": str(keep),
        "checkpoint_every": 2,
        "workers": 1,
    }
    train(PARAMS, str(parquet), "label", num_boost_round=6, **options)
    assert xgb.Booster(model_file=str(keep)).num_boosted_rounds() >= 2
    result = train(PARAMS, str(parquet), "label", num_boost_round=10, resume=True, **options)
    assert result.rounds == result.booster.num_boosted_rounds() == 10
    assert len(result.evals_result["train"]["auc"]) == 10


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"label": "nope"}, DataError, "has no column 'nope'"),
    ({"params": {"max_dept": 3}}, ParameterError, "max_dept"),
    ({"params": {"max_depth": "deep"}}, ParameterError, "max_depth"),
    ({"workers": 40}, ClusterError, "the cluster has 8"),
    ({"memory_per_worker": 1 << 50}, ClusterError, r"has \d.* of memory\. Use .*memory_per_worker"),
    ({"data": "/no/such/place"}, DataError, "no Parquet file"),
    ({"evals": {"a b": "x.parquet"}}, ParameterError, "must be a word"),
    ({"evals": {"a:b": "x.parquet"}}, ParameterError, "must be a word"),
    ({"evals": None, "early_stopping_rounds": 2}, ParameterError, "needs evals"),
    ({"missing": 0.0, "densify": True}, ParameterError, "give one"),
]


@pytest.mark.parametrize(("change", "kind", "words"), BAD)
def test_bad_arguments(
    parquet: Path, change: dict[str, Any], kind: type[Exception], words: str
) -> None:
    call: dict[str, Any] = {
        "params": PARAMS,
        "data": str(parquet),
        "label": "label",
        "features": FEATURES,
        **change,
    }
    with pytest.raises(kind, match=words):
        train(**call)


def test_bad_data(tmp_path: Path, frame: pd.DataFrame) -> None:
    def refused(data: pd.DataFrame, words: str, **options: Any) -> None:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        data.to_parquet(path)
        with pytest.raises((DataError, ParameterError), match=words):
            train(PARAMS, str(path), "label", **options)

    nulls = frame.head(50).copy()
    nulls.loc[3, "label"] = None
    refused(nulls, "label column 'label' has 1 nulls")
    words = frame.head(50).assign(city="oslo")
    refused(words, r"column 'city'.*categorical=")
    refused(frame.head(1), "fewer than the 2 workers")
    refused(frame.head(0), "no rows")
    frame.head(10).to_parquet(tmp_path / "one.parquet")
    frame.head(10).drop(columns="x3").to_parquet(tmp_path / "two.parquet")
    with pytest.raises(DataError, match=r"do not have the same columns|has no column 'x3'"):
        train(PARAMS, [tmp_path / "one.parquet", tmp_path / "two.parquet"], "label")


def test_a_broken_metric_names_its_line(parquet: Path) -> None:
    def broken(predicted: np.ndarray, matrix: xgb.DMatrix) -> tuple[str, float]:
        return "bad", predicted.no_such_thing

    with pytest.raises(TrainingError, match="no_such_thing") as caught:
        train(
            PARAMS,
            str(parquet),
            "label",
            features=FEATURES,
            evals={"train": str(parquet)},
            custom_metric=broken,
        )
    assert caught.value.result is not None


def test_a_label_that_the_objective_refuses(parquet: Path) -> None:
    with pytest.raises(TrainingError, match="label must be in"):
        train(PARAMS, str(parquet), "x0", features=["x1", "x2"])
