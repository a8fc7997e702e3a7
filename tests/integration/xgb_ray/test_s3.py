"""Data, checkpoints and predictions in a bucket, on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import DataError, predict, train
from tests.integration.xgb_ray.conftest import Uri

PARAMS = {"objective": "binary:logistic", "max_depth": 3}
FEATURES = [f"x{i}" for i in range(6)]


def test_data_model_and_predictions_in_a_bucket(uri: Uri, frame: pd.DataFrame) -> None:
    files = [uri(f"data/part-{i}.parquet") for i in range(3)]
    margins = []
    for data in (uri("data"), uri("data/part-*.parquet"), uri("data/part-?.parquet"), files):
        result = train(
            PARAMS,
            data,
            "label",
            num_boost_round=4,
            features=FEATURES,
            checkpoint_path=uri("kept/model.ubj"),
            checkpoint_every=2,
        )
        assert result.facts["rows"] == len(frame)
        margins.append(result.booster.predict(xgb.DMatrix(frame[FEATURES])))
    for other in margins[1:]:
        np.testing.assert_allclose(other, margins[0], atol=1e-6)
    # From the checkpoint of the last one, which is a model too.
    more = train(
        PARAMS,
        uri("data"),
        "label",
        num_boost_round=6,
        features=FEATURES,
        checkpoint_path=uri("kept/model.ubj"),
        resume=True,
    )
    assert more.rounds == more.booster.num_boosted_rounds() == 6
    expected = more.booster.predict(xgb.DMatrix(frame[FEATURES]))
    predict(more, uri("data"), uri("predicted"), keep=["label"])
    store, inner = pafs.FileSystem.from_uri(uri("predicted"))
    found = pd.read_parquet(inner, filesystem=store)
    np.testing.assert_allclose(found["prediction"], expected, atol=1e-6)
    assert (found["label"].to_numpy() == frame["label"].to_numpy()).all()


def test_what_is_not_in_the_bucket(uri: Uri, parquet: Path) -> None:
    with pytest.raises(DataError, match="no Parquet file"):
        train(PARAMS, uri("nowhere"), "label")
    with pytest.raises(DataError, match="different stores"):
        train(PARAMS, [uri("data/part-0.parquet"), str(parquet / "part-1.parquet")], "label")
