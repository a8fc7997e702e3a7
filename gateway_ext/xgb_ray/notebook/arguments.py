"""The arguments of `%xgb_ray`: the line, and the parameters in the cell."""

from __future__ import annotations

import argparse
import ast
import itertools
import keyword
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NoReturn

import yaml

from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.option_table import add_flags
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.tuning.options import SearchOptions

# A number to everyone but YAML, which wants a dot in it.
_EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")
# Options of which the parser knows every value.
_CHOICES = ("--cuts", "--search", "--scheduler", "--mode")
# Of the options of a training: what a trial of a search takes, and any command with workers.
_OF_TRIALS = (
    *("num_boost_round", "early_stopping_rounds", "weight", "qid", "base_margin", "features"),
    *("categorical", "missing", "densify", "cuts", "workers", "cpus_per_worker"),
)
_WORKERS = ("workers", "cpus_per_worker")
# Arguments that are names, also where a $variable gives them.
_NAMES = ("label", "weight", "qid", "base_margin", "keep", "column", "prediction", "metric", "name")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{message}\n{self.format_usage()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Help(message or "")


class Help(Exception):
    """`--help` was asked for; argparse has printed it."""


def read_line(line: str, variables: Mapping[str, Any]) -> argparse.Namespace:
    """The arguments of a line, with `$variables` put in as they are. Those of `--eval`, `--params`
    and `--job`, which have names in them, are as they were written.

    Raises:
        ParameterError: there is no such command, argument or variable, or a value is not one.
        Help: nothing is to be done.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ParameterError(
            "a quotation mark in the line is not closed: put text that contains one in "
            'quotation marks of the other kind, as in -l "driver\'s age"'
        ) from error
    arguments = make_parser().parse_args(_readable(words, variables))
    for name, value in vars(arguments).items():
        if name in ("eval", "params", "job"):
            continue
        if isinstance(value, list):
            # A list counts as its items: --keep $columns is --keep a --keep b.
            found = [expand(v, variables) for v in value]
            setattr(arguments, name, [v for f in found for v in (f if _is_list(f) else [f])])
        elif isinstance(value, str):
            setattr(arguments, name, expand(value, variables))
        if name in _NAMES:
            _check_names(name, getattr(arguments, name))
    out = getattr(arguments, "out", "a")
    if not isinstance(out, str) or not out.isidentifier() or keyword.iskeyword(out):
        raise ParameterError(f"--out must be the name of a variable, not {out!r}")
    return arguments


def _check_names(argument: str, value: Any) -> None:
    for one in value if isinstance(value, list) else [value]:
        if one is not None and not isinstance(one, str):
            raise ParameterError(f"{argument} must be a name, not a {type(one).__name__}")


def _readable(words: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Words as options that take a number, or one of a few words, can read them:
    `$rounds` as what it stands for, and a negative number joined to its option, as it would be
    taken for another one."""
    found: list[str] = []
    for word in itertools.chain.from_iterable(map(_apart, words)):
        option = found[-1] if found and found[-1].startswith("-") else ""
        value = expand(word, variables) if _VARIABLE.fullmatch(word) else None
        if isinstance(value, Real) or (isinstance(value, str) and option in _CHOICES):
            word = str(value)
        if option and _is_negative(word):
            found[-1] = f"{option}={word}"
        else:
            found.append(word)
    return found


def _apart(word: str) -> list[str]:
    """`--rounds=$n` as the two words `--rounds $n`; others as they are."""
    option, _, value = word.partition("=")
    return [option, value] if word.startswith("--") and _VARIABLE.fullmatch(value) else [word]


def _is_negative(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word.startswith("-")


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def make_parser() -> argparse.ArgumentParser:
    """The arguments of `%xgb_ray`."""
    parser = _Parser(
        prog="%xgb_ray",
        description="Distributed XGBoost on Ray. %%xgb_ray takes the parameters in the cell.",
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train a model")
    _data_arguments(train)
    add_flags(train, TrainOptions)
    _cluster_arguments(train)
    _result_arguments(train, "xgb_result")

    tune = commands.add_parser("tune", help="search for good parameters")
    _data_arguments(tune)
    add_flags(tune, TrainOptions, only=_OF_TRIALS, defaults={"num_boost_round": 100})
    add_flags(tune, SearchOptions)
    _cluster_arguments(tune)
    _result_arguments(tune, "xgb_tuned")

    predict = commands.add_parser("predict", help="predict, to Parquet or to a variable")
    predict.add_argument("-m", "--model", required=True, help="$variable, file or URI")
    _plain_data(predict)
    predict.add_argument("--to", help="folder or URI for Parquet files")
    predict.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column to copy to the output",
    )
    predict.add_argument(
        "--column", default="prediction", help="name of the column with the predictions"
    )
    predict.add_argument(
        "--margin", action="store_true", help="predict margins, before the objective's transform"
    )
    predict.add_argument("--contributions", action="store_true", help="SHAP values by feature")
    predict.add_argument("--calibration", help="$variable with a calibration to apply")
    add_flags(predict, TrainOptions, only=_WORKERS)
    _cluster_arguments(predict)
    _result_arguments(predict, "xgb_predicted")

    evaluate = commands.add_parser("evaluate", help="XGBoost's metrics of a model on data")
    evaluate.add_argument("-m", "--model", required=True, help="$variable, file or URI")
    _plain_data(evaluate)
    evaluate.add_argument("-l", "--label", help="by default the label of the training")
    evaluate.add_argument("--metric", action="append", help="such as auc; may be repeated")
    evaluate.add_argument("--weight", metavar="COLUMN", help="the column with the rows' weights")
    evaluate.add_argument("--qid", metavar="COLUMN", help="the column with the query of each row")
    add_flags(evaluate, TrainOptions, only=_WORKERS)
    evaluate.add_argument("--cluster", help="local, auto, or an address such as ray://host:10001")
    evaluate.add_argument("--out", default="xgb_metrics", help="variable for the result")

    calibrate = commands.add_parser("calibrate", help="fit an isotonic calibration")
    _plain_data(calibrate)
    calibrate.add_argument("-l", "--label", required=True, help="the column with what happened")
    calibrate.add_argument(
        "--prediction",
        default="prediction",
        metavar="COLUMN",
        help="the column with the predictions (prediction)",
    )
    calibrate.add_argument("--weight", metavar="COLUMN", help="the column with the rows' weights")
    calibrate.add_argument(
        "--bins", type=int, help="number of bins, instead of exact distinct predictions"
    )
    add_flags(calibrate, TrainOptions, only=_WORKERS)
    _cluster_arguments(calibrate)
    _result_arguments(calibrate, "xgb_calibration")

    for name, what in (
        ("status", "progress of a training, search or job"),
        ("logs", "its events"),
        ("stop", "stop it and keep the model so far"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument(
            "name", nargs="?", help="its --out, or the name of a rayjob; by default the last one"
        )
        _job_argument(command)
        if name == "stop":
            command.add_argument(
                "--now", action="store_true", help="stop at once, in the middle of a round"
            )
        if name == "logs":
            command.add_argument(
                "--follow", action="store_true", help="follow the log of a rayjob to its end"
            )

    attach = commands.add_parser(
        "attach", help="follow a rayjob again, also after a restart of the kernel"
    )
    attach.add_argument("name", help="the name of the rayjob")
    _job_argument(attach)
    _result_arguments(attach, "xgb_result")
    return parser


def _plain_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--data",
        required=True,
        action="append",
        help="Parquet path, URI, glob or $variable; may be repeated",
    )


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    _plain_data(parser)
    parser.add_argument(
        "-l",
        "--label",
        required=True,
        action="append",
        metavar="COLUMN",
        help="the column to learn; may be repeated",
    )
    parser.add_argument(
        "-e",
        "--eval",
        action="append",
        default=[],
        metavar="NAME=DATA",
        help="data to evaluate after each round",
    )
    parser.add_argument(
        "-p",
        "--params",
        action="append",
        default=[],
        help="NAME=VALUE, a $variable, or YAML; overrides the cell",
    )


def _cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster", help="local, auto, an address (ray://host:10001), or rayjob")
    _job_argument(parser)


def _job_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--job",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="settings of a rayjob: image, storage, namespace, memory, queue, …, or a $variable",
    )


def _result_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--out", default=out, help=f"variable for the result ({out})")
    parser.add_argument("--background", action="store_true", help="return at once")
    parser.add_argument("--quiet", action="store_true", help="no progress display")


def read_params(text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from YAML, JSON or a Python dict, with `$variables` put in as they are.

    Raises:
        ParameterError: the text is none of these, or a variable is not defined.
    """
    if not text.strip():
        return {}
    found: dict[str, Any] = {}

    def hold(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        key = f"xgb_ray_variable_{len(found)}_"
        found[key] = _look_up(name, variables)
        return key

    held = _VARIABLE.sub(hold, text)
    value: Any = None
    wrong = ""
    try:
        value = yaml.safe_load(held)
    except yaml.MarkedYAMLError as error:
        if error.problem and error.problem_mark:
            wrong = f" (line {error.problem_mark.line + 1}: {error.problem})"
    except yaml.YAMLError as error:
        wrong = f" ({error})"
    except RecursionError:
        wrong = " (too deeply nested)"
    if not isinstance(value, dict) or None in value.values():
        # A Python dict reads as YAML too, but True, None and tuples would be strings.
        quoted = re.sub(r"(?<!['\"\w])(xgb_ray_variable_\d+_)(?!['\"\w])", r"'\1'", held)
        try:
            value = ast.literal_eval(quoted.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            if not isinstance(value, dict):
                value = None
    if not isinstance(value, dict):
        shown = text.strip() if len(text.strip()) < 60 else f"{text.strip()[:60]}…"
        raise ParameterError(
            "the parameters must be names with values, as YAML (eta: 0.1), JSON or a Python dict, "
            f"not {shown!r}{wrong}"
        )
    try:
        return {str(_named(k, found)): _put_back(v, found) for k, v in value.items()}
    except RecursionError as error:
        raise ParameterError("a value of the parameters contains itself") from error


def _put_back(value: Any, found: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if value in found:
            return found[value]
        value = _named(value, found)
        if _EXPONENT.fullmatch(value):
            return float(value)
        return {"True": True, "False": False, "None": None}.get(value, value)
    if isinstance(value, list | tuple):
        return [_put_back(v, found) for v in value]
    if isinstance(value, dict):
        return {_named(k, found): _put_back(v, found) for k, v in value.items()}
    return value


def _named(key: Any, found: Mapping[str, Any]) -> Any:
    """A name with its variables, which are texts there."""
    if isinstance(key, str):
        for held, variable in found.items():
            key = key.replace(held, str(variable))
    return key


def read_settings(texts: Sequence[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from arguments: each NAME=VALUE, a `$variable` with a dict, or YAML.

    Raises:
        ParameterError: one is none of these.
    """
    found: dict[str, Any] = {}
    for text in texts:
        if _VARIABLE.fullmatch(text):
            value = expand(text, variables)
            if not isinstance(value, Mapping):
                raise ParameterError(f"{text} must be a dict")
            found.update(value)
        elif "=" in text and ":" not in text.split("=", 1)[0]:
            name, value = text.split("=", 1)
            found.update(read_params(f"{name}: {value}", variables))
        else:
            found.update(read_params(text, variables))
    return found


def names(value: Any) -> Any:
    """Names with commas between; a list as it is."""
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(",") if name.strip()]


def one_or_all(values: Sequence[Any] | None) -> Any:
    """A single value as itself."""
    return values[0] if values is not None and len(values) == 1 else values


def _look_up(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        raise ParameterError(f"there is no variable {name!r}")
    return variables[name]


def expand(value: str, variables: Mapping[str, Any]) -> Any:
    """An argument with its variables: `$name` alone is the object, within text its string."""
    whole = _VARIABLE.fullmatch(value)
    if whole:
        return _look_up(whole.group(1) or whole.group(2), variables)

    def text(match: re.Match[str]) -> str:
        found = _look_up(match.group(1) or match.group(2), variables)
        if not isinstance(found, str | os.PathLike | Real):
            raise ParameterError(
                f"{match.group()} in {value!r} is a {type(found).__name__}: only texts and numbers "
                "can be part of a longer word"
            )
        return str(found)

    return _VARIABLE.sub(text, value)
