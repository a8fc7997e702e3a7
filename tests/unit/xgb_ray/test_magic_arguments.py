"""What the magic makes of a line and a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.notebook.arguments import expand, read_line, read_params
from gateway_ext.xgb_ray.tuning.space import read_space

VARIABLES: dict[str, Any] = {
    "eta": 0.3,
    "where": "s3://b",
    "metrics": ["auc"],
    "frame": {"label": [0, 1]},
}


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


@pytest.mark.parametrize("text", ["$name: 1\na: {x_$name: 2}", "{$name: 1, 'a': {'x_$name': 2}}"])
def test_variables_in_names(text: str) -> None:
    assert read_params(text, {"name": "eta"}) == {"eta": 1, "a": {"x_eta": 2}}


def test_python_constants() -> None:
    found = read_params("{'validate_parameters': True, 'seed': None, 'a': 1e-3}", {})
    assert found == {"validate_parameters": True, "seed": None, "a": 1e-3}


def test_nothing_is_no_parameters() -> None:
    assert read_params("\n", {}) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just words", "names with values.*, not 'just words'$"),
        ("[1, 2]", "names with values"),
        ("eta: 0.1\nmax_depth: [1,", r"line 2: expected the node content"),
        ("a: $unknown", "there is no variable 'unknown'"),
        ("a: &x [*x]", "a value of the parameters contains itself"),
        ("{" * 3000, "too deeply nested"),
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read_params(text, VARIABLES)


def test_variables_in_a_line() -> None:
    frame = object()
    variables = {
        "frame": frame,
        "rounds": np.int64(7),
        "columns": ["a", "b"],
        "target": "y",
        "folder": Path("/data"),
        "nothing": None,
    }
    found = read_line(
        "train -d $frame -l $target -n $rounds --features $columns --weight $nothing "
        "--checkpoint ${folder}/m.ubj -p eta=$eta -e test=$frame",
        variables,
    )
    assert (found.data, found.label, found.num_boost_round) == ([frame], ["y"], 7)
    assert (found.features, found.weight, found.checkpoint_path) == (
        ["a", "b"],
        None,
        "/data/m.ubj",
    )
    # These have names in them, and are read later.
    assert (found.params, found.eval) == (["eta=$eta"], ["test=$frame"])


def test_a_list_in_a_line_counts_as_its_items() -> None:
    variables = {"columns": ["a", "b"], "files": ("1.parquet", "2.parquet")}
    found = read_line("predict -m m -d $files -d 3.parquet --keep $columns --keep c", variables)
    assert found.data == ["1.parquet", "2.parquet", "3.parquet"]
    assert found.keep == ["a", "b", "c"]


def test_a_variable_for_one_of_a_few_words() -> None:
    line = "train -d x -l y --cuts $how"
    assert read_line(line, {"how": "full"}).cuts == "full"
    joined = read_line("train -d x -l y --cuts=$how --rounds=$n", {"how": "full", "n": 7})
    assert (joined.cuts, joined.num_boost_round) == ("full", 7)
    with pytest.raises(ParameterError, match="invalid choice: 'none'"):
        read_line(line, {"how": "none"})


@pytest.mark.parametrize("text", ["-1", "-1e30", "-inf"])
def test_a_negative_number_is_no_option(text: str) -> None:
    for line in (f"--missing {text}", "--missing $m", "--missing=$m"):
        assert read_line(f"train -d x -l y {line}", {"m": float(text)}).missing == float(text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train -d it's -l y", "a quotation mark in the line is not closed"),
        ("train -d x -l y -n $missing", "there is no variable 'missing'"),
        ("train -d $metrics/x -l y", r"\$metrics in '\$metrics/x' is a list: only texts and"),
        ("train -d x -l y --out class", "--out must be the name of a variable, not 'class'"),
        ("train -d x -l y --out 'my model'", "must be the name of a variable"),
        ("train -d x -l y -n many", "invalid int value: 'many'"),
        ("train -d x -l $metrics --weight $frame", "weight must be a name, not a dict"),
        ("train -d x -l $frame", "label must be a name, not a dict"),
        ("status $frame", "name must be a name, not a dict"),
        ("fly", "invalid choice: 'fly'"),
    ],
)
def test_lines_that_cannot_be_read(line: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read_line(line, VARIABLES)


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
    with pytest.raises(ParameterError, match="it takes numbers or texts only"):
        read_space({"eta": "uniform(a, b)"})
    with pytest.raises(ParameterError, match="is not a search range"):
        read_space({"eta": "uniform(1)"})
