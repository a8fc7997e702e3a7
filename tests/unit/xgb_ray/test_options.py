"""One list of options for every caller."""

import inspect
import typing
from dataclasses import fields
from pathlib import Path

import pytest

from gateway_ext.xgb_ray import start_training, train, tune
from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.notebook.arguments import read_line
from gateway_ext.xgb_ray.training.options import TrainKeywords, TrainOptions
from gateway_ext.xgb_ray.tuning.options import SearchOptions, TuneKeywords
from gateway_ext.xgb_ray.tuning.tune import start_tuning


@pytest.mark.parametrize(
    ("keywords", "tables"),
    [(TrainKeywords, [TrainOptions]), (TuneKeywords, [TrainOptions, SearchOptions])],
)
def test_type_checkers_see_the_same_options(keywords: type, tables: list[type]) -> None:
    shown = {name: hint.__forward_arg__ for name, hint in keywords.__annotations__.items()}
    assert shown == {one.name: one.type for table in tables for one in fields(table)}


@pytest.mark.parametrize("function", [train, start_training, tune, start_tuning])
def test_the_signature_and_the_help_have_each_option(
    function: typing.Callable[..., object],
) -> None:
    parameters = inspect.signature(function).parameters
    text = inspect.getdoc(function) or ""
    tables = [SearchOptions, TrainOptions] if "tun" in function.__name__ else [TrainOptions]
    for table in tables:
        for one in fields(table):
            assert parameters[one.name].default == one.default
            assert f"\n    {one.name}: {one.metadata['help'][:20]}" in text
    assert "options" not in parameters
    assert text.index("Args:") < text.index("num_boost_round: ") < text.index("Raises:")


@pytest.mark.parametrize("function", [train, tune])
def test_an_option_that_does_not_exist_is_refused(function: typing.Callable[..., object]) -> None:
    with pytest.raises(ParameterError, match="has no option 'rounds'"):
        function({}, "a.parquet", "label", evals={"a": "a.parquet"}, rounds=3)


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_line_gives_each_option_that_has_a_flag(command: str) -> None:
    arguments = read_line(f"{command} -d a.parquet -l y", {})
    tables = {"train": [TrainOptions], "tune": [SearchOptions]}[command]
    for table in tables:
        for one in fields(table):
            if one.metadata["flag"] is not None:
                assert getattr(arguments, one.name) == one.default


def test_the_documentation_has_each_flag() -> None:
    text = (Path(__file__).parents[3] / "docs" / "xgb_ray.md").read_text()
    for table in (TrainOptions, SearchOptions):
        for one in fields(table):
            if one.metadata["flag"] is not None:
                assert f"`{one.metadata['flag'].names[-1]}" in text, one.name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers must be a whole number above 0, not 0"),
        ({"num_boost_round": 1.5}, "num_boost_round must be a whole number above 0, not 1.5"),
        ({"cpus_per_worker": 0}, "cpus_per_worker must be above 0"),
        ({"cuts": "some"}, "cuts must be 'sample' or 'full', not 'some'"),
        ({"qid": "a", "group": "a"}, "qid and group are the same thing"),
        ({"early_stopping_rounds": 3}, "early_stopping_rounds needs evals"),
        ({"resume": True}, "resume=True needs checkpoint_path"),
        ({"evals": {"a-b": "a.parquet"}}, "a word without '-' and ':', not 'a-b'"),
    ],
)
def test_options_that_cannot_be_are_refused_before_a_cluster_is_asked(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        start_training({"objective": "reg:squarederror"}, "a.parquet", "label", **options)
    assert words in str(refused.value)
