"""What the magic makes of a line and a cell."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_ext.xgb_ray.arguments import expand, read_params
from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.space import read_space

VARIABLES: dict[str, Any] = {"eta": 0.3, "where": "s3://b", "metrics": ["auc"]}


@pytest.mark.parametrize(
    "text",
    [
        "max_depth: 4\neta: $eta\nname: ${where}/x\neval_metric: $metrics",
        '{"max_depth": 4, "eta": $eta, "name": "$where/x", "eval_metric": $metrics}',
        "{'max_depth': 4, 'eta': $eta, 'name': '$where/x', 'eval_metric': $metrics}",
    ],
)
def test_yaml_json_and_python_mean_the_same(text: str) -> None:
    assert read_params(text, VARIABLES) == {
        "max_depth": 4,
        "eta": 0.3,
        "name": "s3://b/x",
        "eval_metric": ["auc"],
    }


def test_python_constants() -> None:
    found = read_params("{'validate_parameters': True, 'seed': None, 'a': 1e-3}", {})
    assert found == {"validate_parameters": True, "seed": None, "a": 1e-3}


def test_nothing_is_no_parameters() -> None:
    assert read_params("\n", {}) == {}


@pytest.mark.parametrize("text", ["just words", "[1, 2]", "a: $unknown"])
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ParameterError):
        read_params(text, VARIABLES)


def test_a_variable_alone_is_the_object() -> None:
    assert expand("$metrics", VARIABLES) is VARIABLES["metrics"]
    assert expand("$where/train", VARIABLES) == "s3://b/train"


def test_a_search_space() -> None:
    space = read_space(
        {
            "eta": "loguniform(1e-3, 1)",
            "max_depth": "randint(2, 9)",
            "gamma": [0, 1],
            "objective": "binary:logistic",
            "eval_metric": ["auc", "logloss"],
        }
    )
    assert 1e-3 <= space["eta"].sample() <= 1
    assert 2 <= space["max_depth"].sample() < 9
    assert space["gamma"].sample() in (0, 1)
    assert space["objective"] == "binary:logistic"
    assert space["eval_metric"] == ["auc", "logloss"]
    with pytest.raises(ParameterError, match="no search range"):
        read_space({"eta": "uniform(a, b)"})
