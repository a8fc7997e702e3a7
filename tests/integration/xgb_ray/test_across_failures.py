"""What the user brings along (objectives, metrics, callbacks, constraints, a model) comes out of a
training in which a worker was killed as out of one in which none was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import Run, TrainResult, start_training
from tests.integration.xgb_ray.rounds import unhurried

PARAMS = {"eval_metric": "auc", "max_depth": 4, "monotone_constraints": {"x0": 1}}


def objective(predicted: np.ndarray, data: xgb.DMatrix) -> tuple[np.ndarray, np.ndarray]:
    p = 1 / (1 + np.exp(-predicted))
    return p - data.get_label(), p * (1 - p)


def median_distance(predicted: np.ndarray, data: xgb.DMatrix) -> tuple[str, float]:
    # Depends on how the rows are divided, as a median of parts is no median of all.
    return "distance", float(np.median(np.abs(predicted - data.get_label())))


def counting() -> xgb.callback.TrainingCallback:
    class Counting(xgb.callback.TrainingCallback):
        """Writes down in the model which rounds it was shown."""

        def __init__(self) -> None:
            self.seen: list[int] = []

        def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:
            self.seen.append(epoch)
            return False

        def after_training(self, model: xgb.Booster) -> xgb.Booster:
            model.set_attr(seen=",".join(str(e) for e in self.seen))
            return model

    return Counting()


def by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """As a function of a notebook: workers cannot import it."""
    function.__module__ = "__main__"
    return function


@pytest.fixture
def noisy(frame: pd.DataFrame, tmp_path: Path) -> Path:
    """Data to measure on whose labels are random in part, so that training stops early."""
    test = frame.sample(3000, random_state=1).reset_index(drop=True)
    rng = np.random.default_rng(5)
    flip = rng.random(len(test)) < 0.3
    test.loc[flip, "label"] = 1 - test.loc[flip, "label"]
    for i in range(4):
        test.iloc[i * 750 : (i + 1) * 750].to_parquet(tmp_path / f"test-{i}.parquet")
    return tmp_path


def killed_at(run: Run, wanted: int) -> TrainResult:
    deadline = time.monotonic() + 120
    while run.status().rounds < wanted:
        assert not run.done, run.error or "it is over already"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(run._controller.workers.ready[0].pid, signal.SIGKILL)
    result = run.wait(120)
    assert any(e.kind == "recovered" for e in result.events), [str(e) for e in result.events]
    return result


def test_all_that_the_user_brings_along(parquet: Path, noisy: Path, frame: pd.DataFrame) -> None:
    before = xgb.train(
        {**PARAMS, "objective": "binary:logistic"},
        xgb.QuantileDMatrix(frame[[f"x{i}" for i in range(6)]], frame.label),
        3,
    )

    def begin(slow: bool) -> Run:
        return start_training(
            PARAMS,
            str(parquet),
            "label",
            num_boost_round=200,
            evals={"train": str(parquet), "test": str(noisy)},
            features=[f"x{i}" for i in range(6)],
            weight="weight",
            workers=3,
            obj=by_value(objective),
            custom_metric=by_value(median_distance),
            callbacks=[
                counting(),
                xgb.callback.EarlyStopping(
                    rounds=8, metric_name="auc", data_name="test", maximize=True
                ),
                *([unhurried(0.05)] if slow else []),
            ],
            xgb_model=before,
        )

    good = begin(slow=False).wait(120)
    assert good.best_iteration is not None
    assert good.rounds > 9
    found = killed_at(begin(slow=True), good.rounds // 2)
    assert found.rounds == good.rounds
    assert found.best_iteration == good.best_iteration
    assert found.booster.best_score == pytest.approx(good.booster.best_score, rel=1e-6)
    assert found.booster.num_boosted_rounds() == good.booster.num_boosted_rounds()
    for data, metrics in good.evals_result.items():
        assert set(metrics) >= {"auc", "distance"}
        for metric, values in metrics.items():
            ours = found.evals_result[data][metric]
            np.testing.assert_allclose(ours, values, rtol=1e-6, err_msg=f"{data}-{metric}")
    # Each round was shown to the callbacks once, on the way through two sets of workers.
    assert found.booster.attr("seen") == good.booster.attr("seen")
    assert found.booster.attr("seen") == ",".join(str(e) for e in range(good.rounds))
    features = frame[[f"x{i}" for i in range(6)]].head(500)
    higher = features.assign(x0=features.x0 + 1)
    now, then = (found.booster.inplace_predict(x) for x in (features, higher))
    assert np.all(then >= now)
