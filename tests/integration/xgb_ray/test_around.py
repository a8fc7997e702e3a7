"""Prediction, evaluation, calibration and search around a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import (
    DataError,
    ParameterError,
    TrainResult,
    calibrate,
    evaluate,
    predict,
    train,
    tune,
)

PARAMS = {"objective": "binary:logistic", "eval_metric": "logloss", "max_depth": 4}
FEATURES = [f"x{i}" for i in range(6)]


@pytest.fixture(scope="module")
def result(ray_cluster: None, parquet: Path) -> TrainResult:
    return train(PARAMS, str(parquet), "label", num_boost_round=6, features=FEATURES)


def test_predictions_keep_the_order_and_equal_those_of_one_process(
    result: TrainResult, parquet: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    expected = result.booster.predict(xgb.DMatrix(frame[FEATURES]))
    np.testing.assert_allclose(predict(result, str(parquet)), expected, atol=1e-6)
    files = predict(result, str(parquet), str(tmp_path / "out"), keep=["label"])
    written = pq.read_table(tmp_path / "out").to_pandas()
    assert len(files) >= 3
    np.testing.assert_allclose(written["prediction"], expected, atol=1e-6)
    assert (written["label"].to_numpy() == frame["label"].to_numpy()).all()
    contributions = predict(result, frame.head(100), pred_contribs=True)
    assert contributions.shape == (100, 7)


def test_metrics_are_exact(result: TrainResult, parquet: Path, frame: pd.DataFrame) -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    p = result.booster.predict(xgb.DMatrix(frame[FEATURES]))
    found = evaluate(result, str(parquet), metrics=["logloss", "auc"], weight="weight")
    weight = frame["weight"]
    assert found["auc"] == pytest.approx(
        roc_auc_score(frame["label"], p, sample_weight=weight), abs=1e-6
    )
    assert found["logloss"] == pytest.approx(
        log_loss(frame["label"], p, sample_weight=weight), abs=1e-5
    )


def test_a_calibration_from_pieces_equals_one_in_memory(
    result: TrainResult, parquet: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    predict(result, str(parquet), str(tmp_path / "p"), keep=["label", "weight"])
    p = predict(result, str(parquet))
    found = calibrate(str(tmp_path / "p"), "label")
    memory = calibrate(p, frame["label"].to_numpy())
    np.testing.assert_allclose(found.apply(p), memory.apply(p), atol=1e-9)
    weighted = calibrate(str(tmp_path / "p"), "label", weight="weight", bins=1 << 12)
    exact = calibrate(p, frame["label"].to_numpy(), weight=frame["weight"].to_numpy())
    assert np.abs(weighted.apply(p) - exact.apply(p)).mean() < 2e-3
    calibrated = predict(result, frame, calibration=found)
    np.testing.assert_allclose(calibrated, found.apply(p), atol=1e-6)


def test_wrong_use(result: TrainResult, frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="has no column 'x2'"):
        predict(result, frame.drop(columns="x2"))
    with pytest.raises(ParameterError, match="no model"):
        predict(7, frame)
    with pytest.raises(DataError, match="between 0 and 1"):
        calibrate(np.array([0.5, 1.5]), np.array([0, 1]))


@pytest.mark.long
@pytest.mark.parametrize(
    ("search", "scheduler"), [("optuna", "asha"), ("cfo", "none"), ("random", "pbt")]
)
def test_a_search_finds_the_better_rate_and_cleans_up(
    parquet: Path, search: str, scheduler: str
) -> None:
    from ray import tune as ray_tune

    space: dict[str, Any] = {**PARAMS, "eta": ray_tune.uniform(0.001, 0.6)}
    found = tune(
        space,
        str(parquet),
        "label",
        evals={"test": str(parquet / "part-1.parquet")},
        features=FEATURES,
        num_boost_round=12,
        workers=2,
        trials=3,
        concurrent=2,
        search=search,
        scheduler=scheduler,
        report_every=3,
    )
    assert found.metric == "test-logloss"
    assert found.best_value == min(t["value"] for t in found.trials)
    assert found.best_value < 0.69
    assert found.booster is not None
    assert found.booster.num_boosted_rounds() == 12
