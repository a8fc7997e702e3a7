"""Files that Spark itself wrote, against what `xgboost.spark` makes of them. Needs Java 17."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from gateway_ext.xgb_ray import DataError, train
from gateway_ext.xgb_ray.data.vectors import drop_zeros, read_vectors, to_dense

if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17", allow_module_level=True)

pytestmark = pytest.mark.long

ROWS, SIZE = 3000, 8
PARAMS = {"objective": "binary:logistic", "max_depth": 4, "max_bin": 64}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    rng = np.random.default_rng(5)
    data = rng.standard_normal((ROWS, SIZE)).round(2)
    # Rows from nearly empty to full: VectorAssembler writes some sparse and some dense.
    data[rng.random((ROWS, SIZE)) < rng.random((ROWS, 1))] = 0
    return data


@pytest.fixture(scope="module")
def written(spark: Any, cells: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pandas as pd
    from pyspark.ml.feature import VectorAssembler

    names = [f"c{i}" for i in range(SIZE)]
    frame = pd.DataFrame(cells, columns=names)
    frame["label"] = (cells[:, 0] + cells[:, 1] > 0).astype(float)
    frame["row"] = range(ROWS)
    path = tmp_path_factory.mktemp("spark") / "vectors"
    table = spark.createDataFrame(frame).repartition(3)
    assembled = VectorAssembler(inputCols=names, outputCol="features").transform(table)
    assembled.select("features", "label", "row").write.parquet(str(path))
    return path


def test_cells_are_those_that_spark_wrote(written: Path, cells: np.ndarray) -> None:
    table = pq.read_table(written)
    vectors = read_vectors(table["features"], "features")
    assert len(vectors.sparse_rows) > 100
    assert len(vectors.dense_rows) > 100
    expected = cells[table["row"].to_numpy()].astype("f4")
    np.testing.assert_array_equal(to_dense(vectors), expected)
    np.testing.assert_array_equal(drop_zeros(vectors).toarray(), expected)


def test_a_mixed_column_must_be_explained(written: Path) -> None:
    with pytest.raises(DataError, match=r"missing=0.0.*densify=True"):
        train(PARAMS, str(written), "label", features=["features"])


@pytest.mark.parametrize("missing", [0.0, None])
def test_the_model_is_that_of_xgboost_spark(
    spark: Any, written: Path, cells: np.ndarray, missing: float | None
) -> None:
    """missing=0.0 against its sparse rule, densify against its dense one, cell by cell."""
    import xgboost as xgb
    from xgboost.spark import SparkXGBClassifier

    options = {"missing": 0.0} if missing == 0.0 else {"densify": True}
    ours = train(
        PARAMS,
        str(written),
        "label",
        features=["features"],
        workers=1,
        num_boost_round=5,
        **options,
    )
    sparse: dict[str, Any] = {}
    if missing == 0.0:
        sparse = {"enable_sparse_data_optim": True, "missing": 0.0}
    model = SparkXGBClassifier(
        features_col="features",
        label_col="label",
        n_estimators=5,
        max_depth=4,
        max_bin=64,
        num_workers=1,
        tree_method="hist",
        **sparse,
    ).fit(spark.read.parquet(str(written)))
    theirs = model.get_booster()
    matrix = xgb.DMatrix(cells, missing=np.nan if missing is None else 0.0)
    ours.booster.feature_names = theirs.feature_names = None
    np.testing.assert_allclose(ours.booster.predict(matrix), theirs.predict(matrix), atol=2e-2)
    agree = (ours.booster.predict(matrix) > 0.5) == (theirs.predict(matrix) > 0.5)
    assert agree.mean() > 0.99
    for booster in (ours.booster, theirs):
        assert booster.num_features() == SIZE
