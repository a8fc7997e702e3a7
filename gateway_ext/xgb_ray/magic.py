"""The `%xgb_ray` magic: arguments, the live display, and what runs in the background."""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display, update_display

from gateway_ext.xgb_ray.errors import ParameterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.summary import bundle, status_html, status_text

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_REFRESH_SECONDS = 0.5
# A number to everyone but YAML, which wants a dot in it.
_EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{message}\n{self.format_usage()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise _Help(message or "")


class _Help(Exception):
    """`--help` was asked for; argparse has printed it."""


def make_parser() -> argparse.ArgumentParser:
    """The arguments of `%xgb_ray`."""
    parser = _Parser(prog="%xgb_ray", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train a model")
    _data_arguments(train)
    train.add_argument("-n", "--rounds", type=int, default=10, help="boosting rounds")
    _cluster_arguments(train)
    train.add_argument("--early-stop", type=int, metavar="ROUNDS", help="early stopping rounds")
    train.add_argument(
        "--elastic",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with fewer workers when one is lost",
    )
    train.add_argument("--max-failures", type=int, default=3, help="lost workers to survive")
    train.add_argument("--cuts", choices=("sample", "full"), default="sample")
    train.add_argument("--model", help="a model (file or $variable) to continue from")
    train.add_argument("--checkpoint", metavar="FILE", help="keep the model here meanwhile")
    train.add_argument("--resume", action="store_true", help="begin from the checkpoint")
    train.add_argument("--out", default="xgb_result", help="variable for the result")
    train.add_argument("--background", action="store_true", help="return at once")
    train.add_argument("--quiet", action="store_true", help="no live display")

    tune = commands.add_parser("tune", help="search for good parameters")
    _data_arguments(tune)
    tune.add_argument("-n", "--rounds", type=int, default=100, help="rounds of each trial")
    _cluster_arguments(tune)
    tune.add_argument("--trials", type=int, default=10)
    tune.add_argument("--concurrent", type=int, default=1, help="trials at a time")
    tune.add_argument("--search", choices=("optuna", "cfo", "random"), default="optuna")
    tune.add_argument("--scheduler", choices=("asha", "pbt", "none"), default="asha")
    tune.add_argument("--metric", help="such as test-auc; the last of the last eval set otherwise")
    tune.add_argument("--mode", choices=("min", "max"))
    tune.add_argument("--out", default="xgb_tuned", help="variable for the result")

    predict = commands.add_parser("predict", help="predict, to Parquet or to a variable")
    predict.add_argument("-m", "--model", required=True, help="$variable or file")
    predict.add_argument("-d", "--data", required=True)
    predict.add_argument("--to", help="folder for Parquet files")
    predict.add_argument("--keep", action="append", default=[], metavar="COLUMN")
    predict.add_argument("--calibration", help="$variable with a calibration to apply")
    predict.add_argument("--out", default="xgb_predicted", help="variable for the predictions")
    _cluster_arguments(predict)

    calibrate = commands.add_parser("calibrate", help="fit an isotonic calibration")
    calibrate.add_argument("-d", "--data", required=True)
    calibrate.add_argument("-l", "--label", required=True)
    calibrate.add_argument("--prediction", default="prediction", metavar="COLUMN")
    calibrate.add_argument("--weight", metavar="COLUMN")
    calibrate.add_argument("--bins", type=int)
    calibrate.add_argument("--out", default="xgb_calibration", help="variable for the result")
    calibrate.add_argument("--cluster", default=None)

    for name, what in (
        ("status", "how far a training is"),
        ("logs", "what happened in a training"),
        ("stop", "stop a training and keep its model"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("name", nargs="?", help="the --out of the training; the last one")
        if name == "stop":
            command.add_argument("--now", action="store_true", help="in the middle of a round")
    return parser


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--data",
        required=True,
        action="append",
        help="Parquet path, URI, glob or $variable; may be given again",
    )
    parser.add_argument("-l", "--label", required=True, action="append")
    parser.add_argument("-e", "--eval", action="append", default=[], metavar="NAME=DATA")
    parser.add_argument(
        "-p",
        "--params",
        action="append",
        default=[],
        help="NAME=VALUE, a $variable, or YAML; a cell's text goes before",
    )
    parser.add_argument("--weight", metavar="COLUMN")
    parser.add_argument("--qid", metavar="COLUMN")
    parser.add_argument("--features", help="names with commas between")
    parser.add_argument("--categorical", help="names with commas between")
    parser.add_argument("--missing", type=float)
    parser.add_argument("--densify", action="store_true")


def _cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=1, help="CPUs of each worker")
    parser.add_argument("--cluster", default=None, help="local, auto, or ray://host:port")


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
    try:
        value = yaml.safe_load(held)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, dict) or None in value.values():
        # A Python dict reads as YAML too, but True, None and tuples would be strings.
        quoted = re.sub(r"(?<!['\"\w])(xgb_ray_variable_\d+_)(?!['\"\w])", r"'\1'", held)
        try:
            value = ast.literal_eval(quoted.strip())
        except (ValueError, SyntaxError):
            if not isinstance(value, dict):
                raise ParameterError(
                    "the parameters must be YAML (name: value), JSON or a Python dict"
                ) from None
    if not isinstance(value, dict):
        raise ParameterError("the parameters must be names with values")
    return {str(k): _put_back(v, found) for k, v in value.items()}


def _put_back(value: Any, found: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if value in found:
            return found[value]
        for key, variable in found.items():
            value = value.replace(key, str(variable))
        if _EXPONENT.fullmatch(value):
            return float(value)
        return {"True": True, "False": False, "None": None}.get(value, value)
    if isinstance(value, list | tuple):
        return [_put_back(v, found) for v in value]
    if isinstance(value, dict):
        return {k: _put_back(v, found) for k, v in value.items()}
    return value


def _look_up(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        raise ParameterError(f"there is no variable {name!r}")
    return variables[name]


def expand(value: str, variables: Mapping[str, Any]) -> Any:
    """An argument with its variables: `$name` alone is the object, within text its string."""
    whole = _VARIABLE.fullmatch(value)
    if whole:
        return _look_up(whole.group(1) or whole.group(2), variables)
    return _VARIABLE.sub(lambda m: str(_look_up(m.group(1) or m.group(2), variables)), value)


class _Quiet(KeyboardInterrupt):
    """Ends the cell, so that queued cells do not run, without a stack trace."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class XGBRayMagics(Magics):
    """Holds the trainings that were started in this kernel."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._variables: dict[str, Any] = shell.user_ns
        self._runs: dict[str, Any] = {}
        self._last = ""

    @no_var_expand
    @line_cell_magic
    def xgb_ray(self, line: str, cell: str | None = None) -> Any:
        """Distributed XGBoost.

        %xgb_ray train -d train.parquet -l label -e test=test.parquet -n 100 -p max_depth=6
        %%xgb_ray train -d $frame -l label --workers 4 --out model
        objective: binary:logistic
        eta: $eta

        %xgb_ray status | logs | stop [--now]          of the last training, or NAME
        %xgb_ray predict -m $model -d new.parquet --to predictions/
        %xgb_ray calibrate -d predictions/ -l label
        %%xgb_ray tune …                               with a search space in the cell

        Each command has --help. The result is in the variable --out, after a failure or an
        interrupt too. An interrupt (^C) stops after the current round and keeps the model; a
        second one stops at once.
        """
        variables = self._variables
        try:
            arguments = make_parser().parse_args(shlex.split(line))
        except _Help:
            return None
        command: Callable[..., Any] = getattr(self, f"_{arguments.command}")
        return command(arguments, cell or "", variables)

    def _train(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.training import start_training

        params, options = self._common(a, cell, variables)
        run = start_training(
            params,
            **options,
            num_boost_round=a.rounds,
            early_stopping_rounds=a.early_stop,
            elastic=a.elastic,
            max_failures=a.max_failures,
            cuts=a.cuts,
            xgb_model=None if a.model is None else _model(expand(a.model, variables)),
            checkpoint_path=a.checkpoint,
            resume=a.resume,
        )
        self._runs[a.out], self._last = run, a.out
        if a.background:
            self._variables[a.out] = run
            print(f"training in the background: %xgb_ray status, logs or stop {a.out}")
            return None
        asked = self._follow(run, quiet=a.quiet)
        self._variables[a.out] = run.result
        if isinstance(run.error, TrainingError) and run.result is not None:
            display(run.result)
        if run.error is not None:
            raise run.error
        display(run.result)
        if asked and run.result is not None:
            raise _Quiet(f"stopped after round {run.result.rounds}; the model is in {a.out}")
        return None

    def _follow(self, run: Any, quiet: bool) -> int:
        """Show progress until the end; how often the user interrupted."""
        asked, shown, handle = 0, 0.0, f"xgb_ray-{id(run)}"
        if not quiet:
            display(_picture(run), raw=True, display_id=handle)
        while not run.done:
            try:
                run.pause(0.05)
                if not quiet and time.monotonic() - shown >= _REFRESH_SECONDS:
                    update_display(_picture(run), raw=True, display_id=handle)
                    shown = time.monotonic()
            except KeyboardInterrupt:
                asked += 1
                if asked == 1:
                    print("stopping after this round; interrupt again to stop at once")
                    run.stop()
                else:
                    run.stop_now()
        if not quiet:
            update_display(_picture(run), raw=True, display_id=handle)
        return asked

    def _common(
        self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and options that `train` and `tune` share."""
        params = read_params(cell, variables)
        for text in a.params:
            whole = _VARIABLE.fullmatch(text)
            if whole:
                value = expand(text, variables)
                if not isinstance(value, Mapping):
                    raise ParameterError(f"{text} must be a dict of parameters")
                params.update(value)
            elif "=" in text and ":" not in text.split("=", 1)[0]:
                name, value = text.split("=", 1)
                params.update(read_params(f"{name}: {value}", variables))
            else:
                params.update(read_params(text, variables))
        evals = []
        for text in a.eval:
            name, mark, data = text.partition("=")
            if not mark:
                raise ParameterError(f"--eval must be NAME=DATA, not {text!r}")
            evals.append((expand(data, variables), name))
        data = [expand(d, variables) for d in a.data]
        options = {
            "data": data[0] if len(data) == 1 else data,
            "label": a.label[0] if len(a.label) == 1 else a.label,
            "evals": evals,
            "weight": a.weight,
            "qid": a.qid,
            "features": _names(a.features),
            "categorical": _names(a.categorical),
            "missing": a.missing,
            "densify": a.densify,
            "workers": a.workers,
            "cpus_per_worker": a.cpus,
            "cluster": a.cluster,
        }
        return params, options

    def _tune(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.tuning import read_space, tune

        params, options = self._common(a, cell, variables)
        result = tune(
            read_space(params),
            **options,
            num_boost_round=a.rounds,
            trials=a.trials,
            concurrent=a.concurrent,
            search=a.search,
            scheduler=a.scheduler,
            metric=a.metric,
            mode=a.mode,
        )
        self._variables[a.out] = result
        display(result)

    def _predict(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.prediction import predict

        calibration = None if a.calibration is None else expand(a.calibration, variables)
        result = predict(
            expand(a.model, variables),
            expand(a.data, variables),
            None if a.to is None else str(expand(a.to, variables)),
            keep=a.keep,
            calibration=calibration,
            workers=a.workers,
            cpus_per_worker=a.cpus,
            cluster=a.cluster,
        )
        self._variables[a.out] = result
        what = f"{len(result)} files in {a.to}" if a.to else f"{len(result)} predictions"
        print(f"{what}; see {a.out}")

    def _calibrate(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.calibration import calibrate

        result = calibrate(
            expand(a.data, variables),
            a.label,
            prediction=a.prediction,
            weight=a.weight,
            bins=a.bins,
            cluster=a.cluster,
        )
        self._variables[a.out] = result
        display(result)

    def _named(self, a: argparse.Namespace) -> tuple[str, Any]:
        name = a.name or self._last
        if name not in self._runs:
            known = ", ".join(self._runs) or "none"
            raise ParameterError(f"no training {name!r} was started here (there are: {known})")
        return name, self._runs[name]

    def _status(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        _, run = self._named(a)
        display(_picture(run), raw=True)

    def _logs(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        _, run = self._named(a)
        print("\n".join(str(event) for event in run.events))
        if run.error is not None:
            print(run.error)

    def _stop(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        name, run = self._named(a)
        run.stop_now() if a.now else run.stop()
        try:
            result = run.wait(60)
        except (XGBRayError, TimeoutError) as error:
            print(error)
            return
        self._variables[name] = result
        print(f"stopped after round {result.rounds}; the model is in {name}")


def _picture(run: Any) -> dict[str, Any]:
    status = run.status()
    return bundle(status_text(status), status_html(status))


def _model(value: Any) -> Any:
    return getattr(value, "booster", value)


def _names(text: str | None) -> Sequence[str] | None:
    return None if text is None else [n.strip() for n in text.split(",") if n.strip()]


def _complete(shell: InteractiveShell, event: Any) -> list[str]:
    """Tab completion: commands, then the options of the command, then columns of `--data`."""
    text = event.line
    words = text.replace("%%xgb_ray", "", 1).replace("%xgb_ray", "", 1).split()
    parser = make_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    if not words or (len(words) == 1 and not text.endswith(" ")):
        return list(commands)
    chosen = commands.get(words[0])
    if chosen is None:
        return []
    previous = words[-1] if text.endswith(" ") else (words[-2] if len(words) > 1 else "")
    if previous in ("-l", "--label", "--weight", "--qid", "--keep", "--prediction"):
        return _columns_of(words, shell)
    if previous in ("-d", "--data", "-m", "--model", "--calibration"):
        return [f"${n}" for n in shell.user_ns if not n.startswith("_")]
    return [o for action in chosen._actions for o in action.option_strings]


def _columns_of(words: Sequence[str], shell: InteractiveShell) -> list[str]:
    """The columns of the data that is on the line, if it can be told at once."""
    for flag, value in itertools.pairwise(words):
        if flag not in ("-d", "--data"):
            continue
        try:
            data = expand(value, shell.user_ns)
            if isinstance(data, str):
                from gateway_ext.xgb_ray.sources import open_source

                return list(open_source(data, "data").schema.names)
            return [str(c) for c in getattr(data, "column_names", None) or data.columns]
        except (XGBRayError, AttributeError, OSError):
            return []
    return []


def register(shell: InteractiveShell) -> None:
    """Make the magic and its completion known to a shell."""
    shell.register_magics(XGBRayMagics(shell))
    for name in ("%xgb_ray", "%%xgb_ray"):
        shell.set_hook("complete_command", _complete, str_key=name)
