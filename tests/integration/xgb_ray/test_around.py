"""Prediction, evaluation, calibration and search around a trained model."""

from __future__ import annotations

import time
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
    TrainingError,
    TrainResult,
    calibrate,
    evaluate,
    predict,
    train,
    tune,
)
from gateway_ext.xgb_ray.errors import ClusterError
from gateway_ext.xgb_ray.tuning.space import read_space
from gateway_ext.xgb_ray.tuning.tune import start_tuning

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
    with pytest.raises(ParameterError, match="is not a model"):
        predict(7, frame)
    with pytest.raises(DataError, match="between 0 and 1"):
        calibrate(np.array([0.5, 1.5]), np.array([0, 1]))


def test_what_was_predicted_before_does_not_stay(
    result: TrainResult, frame: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "p"
    many = predict(result, frame, str(out), workers=3)
    (out / "part-of-mine.parquet").write_text("")
    few = predict(result, frame.head(2), str(out), workers=1)
    assert len(few) < len(many)
    left = sorted(str(p) for p in out.iterdir())
    assert left == sorted([*few, str(out / "part-of-mine.parquet")])


def test_the_data_is_not_written_over(result: TrainResult, parquet: Path) -> None:
    with pytest.raises(ParameterError, match="holds the data itself"):
        predict(result, str(parquet), str(parquet))
    assert len(list(parquet.iterdir())) == 3


def test_tasks_that_fit_nowhere(result: TrainResult, parquet: Path) -> None:
    with pytest.raises(ClusterError, match="the largest has 8"):
        predict(result, str(parquet), cpus_per_worker=9)
    with pytest.raises(ClusterError, match="the largest has 8"):
        evaluate(result, str(parquet), cpus_per_worker=9)
    with pytest.raises(ClusterError, match="the largest has 8"):
        calibrate(str(parquet), "label", prediction="x0", cpus_per_task=9)


SPACE = {**PARAMS, "eta": "uniform(0.001, 0.6)"}


def searched(parquet: Path) -> dict[str, Any]:
    """What all searches here have in common."""
    return {
        "space": read_space(SPACE),
        "data": str(parquet),
        "label": "label",
        "evals": {"test": str(parquet / "part-1.parquet")},
        "features": FEATURES,
    }


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("search", "scheduler"),
    [("optuna", "asha"), ("cfo", "none"), ("blendsearch", "asha"), ("random", "pbt")],
)
def test_a_search_finds_the_better_rate_and_cleans_up(
    parquet: Path, search: str, scheduler: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = tune(
        **searched(parquet),
        num_boost_round=12,
        workers=2,
        trials=3,
        concurrent=2,
        search=search,
        scheduler=scheduler,
        report_every=3,
    )
    assert found.metric == "test-logloss"
    assert len(found.trials) == 3
    assert {t["state"] for t in found.trials} <= {"finished", "ended early"}
    assert found.best_value == min(t["value"] for t in found.trials)
    assert found.best_value < 0.69
    assert found.booster is not None
    assert found.booster.num_boosted_rounds() == 12
    measured = evaluate(
        found.booster, str(parquet / "part-1.parquet"), "label", metrics=["logloss"]
    )
    assert measured["logloss"] == pytest.approx(found.best_value, abs=1e-4)
    # Ray Tune's own tables stay out of the notebook.
    assert "Configuration for experiment" not in capfd.readouterr().out


def test_a_search_that_is_stopped_keeps_its_best_model(parquet: Path) -> None:
    run = start_tuning(
        **searched(parquet),
        num_boost_round=100_000,
        workers=1,
        trials=50,
        concurrent=2,
        scheduler="none",
    )
    deadline = time.monotonic() + 120
    while not any(t["value"] for t in run.status().trials):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    run.stop()
    found = run.wait(60)
    assert found.state == "stopped"
    assert found.booster is not None
    assert 0 < found.booster.num_boosted_rounds() < 100_000
    assert "running" not in {t["state"] for t in found.trials}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": {**PARAMS, "eta": 0.3}}, "nothing to search"),
        ({"space": {**SPACE, "max_bin": "randint(8, 64)"}}, "max_bin cannot be searched"),
        ({"space": {**SPACE, "grow_policy": ["depthwise"]}, "scheduler": "pbt"}, "cannot change"),
        ({"evals": {}}, "tune needs evals"),
        ({"search": "grid"}, "search must be one of optuna, cfo"),
        ({"metric": "test"}, "metric must be NAME-METRIC of an eval set"),
        ({"trials": 0}, "trials must be a whole number above 0"),
        ({"depth": 3}, "tune has no option 'depth'"),
    ],
)
def test_a_search_that_cannot_be(frame: pd.DataFrame, change: dict[str, Any], words: str) -> None:
    given = {"space": SPACE, "evals": {"test": frame}, **change}
    space = read_space(given.pop("space"))
    with pytest.raises(ParameterError, match=words):
        tune(space, frame, "label", **given)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_trials_that_all_fail_say_why(frame: pd.DataFrame) -> None:
    # Their mean is one that XGBoost can begin from: what it refuses is the labels.
    bad = frame.assign(label=frame["label"] * 1.5 - 0.25)
    with pytest.raises(TrainingError, match=r"every trial failed: .*label must be in"):
        tune(read_space(SPACE), bad, "label", evals={"test": bad}, trials=2, workers=1)
