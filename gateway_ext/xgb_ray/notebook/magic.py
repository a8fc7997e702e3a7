"""The `%xgb_ray` magic: what each command does, the live display, runs in the background."""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display, update_display
from traitlets import Dict

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.display import bundle, metrics_html
from gateway_ext.xgb_ray.errors import ParameterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.notebook.arguments import (
    Help,
    expand,
    names,
    one_or_all,
    read_line,
    read_params,
    read_settings,
)
from gateway_ext.xgb_ray.notebook.completion import matcher
from gateway_ext.xgb_ray.option_table import of_line
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.tuning.options import SearchOptions
from gateway_ext.xgb_ray.tuning.result import TuneResult

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_REFRESH_SECONDS = 0.5
# How long `stop` waits for the end.
_STOP_SECONDS = 120


class _Quiet(KeyboardInterrupt):
    """Ends the cell, so that queued cells do not run, without a stack trace."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class XGBRayMagics(Magics):
    """Holds the trainings, searches and jobs that were started in this kernel."""

    rayjob = Dict(
        help="""Settings of every `--cluster rayjob`, which `--job NAME=VALUE` adds to: `image` and
        `storage` (a folder or URI that kernels and pods share) are needed, others are those of
        gateway_ext.xgb_ray.rayjob.manifests.RayJobOptions (namespace, memory, scheduler, queue,
        priority_class, service_account, env, env_from_secrets, claims, ...)."""
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._variables: dict[str, Any] = shell.user_ns
        self._runs: dict[str, Background[Any]] = {}
        self._last = ""

    @no_var_expand
    @line_cell_magic
    def xgb_ray(self, line: str, cell: str | None = None) -> Any:
        """Distributed XGBoost.

        %xgb_ray train -d train.parquet -l label -e test=test.parquet -n 100 -p max_depth=6
        %%xgb_ray train -d $frame -l label --workers 4 --out model
        objective: binary:logistic
        eta: $eta

        %xgb_ray predict -m $model -d new.parquet --to predictions/ --keep id
        %xgb_ray evaluate -m $model -d test.parquet --metric auc
        %xgb_ray calibrate -d predictions/ -l label
        %%xgb_ray tune …                               with a search space in the cell

        %xgb_ray status | logs | stop [--now] [NAME]   of the run NAME, or the last --background
        %xgb_ray train … --cluster rayjob              on Kubernetes, see --job
        %xgb_ray attach NAME                           a rayjob again, after a restart too

        Each command has --help. The result is in the variable --out, after a failure or an
        interrupt too. An interrupt (^C) stops after the current round and keeps the model; a
        second one stops at once.
        """
        cell = (cell or "").strip()
        try:
            arguments = read_line(line if line.strip() or cell else "--help", self._variables)
        except Help:
            return None
        if cell and arguments.command not in ("train", "tune"):
            raise ParameterError(
                f"{arguments.command} takes no parameters from a cell: write %xgb_ray with one %"
            )
        command: Callable[..., Any] = getattr(self, f"_{arguments.command}")
        return command(arguments, cell, self._variables)

    # Commands that compute.

    def _train(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.training.train import start_training

        arguments = {
            "params": self._params(a, cell, variables),
            **self._data(a, variables),
            **_options(TrainOptions, a),
        }
        self._carry_out(a, start_training, arguments, variables)

    def _tune(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.tuning.space import check_space, read_space
        from gateway_ext.xgb_ray.tuning.tune import start_tuning

        params = self._params(a, cell, variables)
        space = read_space(params)
        check_space(space, a.scheduler)
        arguments = {
            # A job reads the ranges itself.
            "space": params if a.cluster == "rayjob" else space,
            **self._data(a, variables),
            **_options(TrainOptions, a),
            **_options(SearchOptions, a),
        }
        self._carry_out(a, start_tuning, arguments, variables, concurrent=a.concurrent)

    def _predict(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.scoring.prediction import predict

        arguments = {
            "model": a.model,
            "data": one_or_all(a.data),
            "out": None if a.to is None else str(a.to),
            "keep": a.keep,
            "column": a.column,
            "output_margin": a.margin,
            "pred_contribs": a.contributions,
            "calibration": a.calibration,
            "workers": a.workers,
            "cpus_per_worker": a.cpus_per_worker,
        }
        if a.keep and a.to is None and a.cluster != "rayjob":
            raise ParameterError("--keep is for files: give --to, a folder or URI for them")
        self._carry_out(a, predict, arguments, variables)

    def _evaluate(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.scoring.prediction import evaluate

        found = evaluate(
            a.model,
            one_or_all(a.data),
            a.label,
            metrics=a.metric,
            weight=a.weight,
            qid=a.qid,
            workers=a.workers,
            cpus_per_worker=a.cpus_per_worker,
            cluster=a.cluster,
        )
        self._variables[a.out] = found
        text = "  ".join(f"{name} {value:.6g}" for name, value in found.items())
        display(bundle(text, metrics_html(found)), raw=True)

    def _calibrate(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        from gateway_ext.xgb_ray.scoring.calibration import calibrate

        arguments = {
            "data": one_or_all(a.data),
            "label": a.label,
            "prediction": a.prediction,
            "weight": a.weight,
            "bins": a.bins,
        }
        self._carry_out(a, calibrate, arguments, variables)

    # What they share.

    def _params(
        self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {**read_params(cell, variables), **read_settings(a.params, variables)}

    def _data(self, a: argparse.Namespace, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of `train` and `tune`."""
        evals = []
        for text in a.eval:
            name, mark, data = text.partition("=")
            if not mark:
                raise ParameterError(f"--eval must be NAME=DATA, not {text!r}")
            evals.append((expand(data, variables), name))
        return {
            "data": one_or_all(a.data),
            "label": one_or_all(a.label),
            "evals": evals,
        }

    def _carry_out(
        self,
        a: argparse.Namespace,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        variables: Mapping[str, Any],
        concurrent: int = 1,
    ) -> None:
        """Call the function of a command here, or in a rayjob."""
        running = self._runs.get(a.out)
        if running is not None and not running.done:
            raise ParameterError(
                f"{a.out} is still being made: give another --out, or %xgb_ray stop {a.out}"
            )
        if a.cluster == "rayjob":
            self._follow(a, self._submit(a, arguments, variables, concurrent))
            return
        if a.job:
            raise ParameterError("--job is for --cluster rayjob")
        found = function(**arguments, cluster=a.cluster)
        if isinstance(found, Background):
            self._follow(a, found)
        elif a.background:
            raise ParameterError(f"{a.command} runs in the background only as a rayjob")
        else:
            self._show(a, found)

    def _submit(
        self,
        a: argparse.Namespace,
        arguments: dict[str, Any],
        variables: Mapping[str, Any],
        concurrent: int,
    ) -> Background[Any]:
        from gateway_ext.xgb_ray.rayjob.client import start, with_room_for
        from gateway_ext.xgb_ray.rayjob.settings import make_options

        settings = {**self.rayjob, **read_settings(a.job, variables)}
        options, storage = make_options(settings, a.out, a.workers, a.cpus_per_worker)
        return start(a.command, arguments, with_room_for(options, concurrent), storage)

    def _follow(self, a: argparse.Namespace, run: Background[Any]) -> None:
        """Show a run to its end and keep its result, or let it go on in the background."""
        self._runs[a.out], self._last = run, a.out
        job = getattr(run, "name", "")
        if job:
            self._runs[job] = run
        if a.background:
            self._variables[a.out] = run
            run.when_done(lambda: self._take(a.out, run))
            also = f", a rayjob of the name {job}" if job else ""
            print(f"in the background{also}: %xgb_ray status, logs or stop {job or a.out}")
            return
        asked = self._watch(run, quiet=a.quiet)
        result = run.result
        self._variables[a.out] = run if result is None else result
        if run.error is not None:
            if isinstance(run.error, TrainingError) and result is not None:
                display(result)
            raise run.error
        self._show(a, result)
        if asked:
            raise _Quiet(_kept(result, a.out))

    def _take(self, out: str, run: Background[Any]) -> None:
        """The result in place of the run that has ended, unless the user put something else."""
        if self._variables.get(out) is run and run.result is not None:
            self._variables[out] = run.result

    def _show(self, a: argparse.Namespace, result: Any) -> None:
        self._variables[a.out] = result
        if isinstance(result, list):
            where = result[0].rsplit("/", 1)[0] if result else "nowhere"
            print(f"{len(result)} files in {where}; see {a.out}")
        elif hasattr(result, "_repr_html_"):
            display(result)
        else:
            print(f"{len(result)} predictions; see {a.out}")

    def _watch(self, run: Background[Any], quiet: bool) -> int:
        """Show progress until the end; how often the user interrupted."""
        shown = 0.0

        def show() -> None:
            nonlocal shown
            put = update_display if shown else display
            shown = time.monotonic()
            put(_picture(run), raw=True, display_id=f"xgb_ray-{id(run)}")

        def look() -> None:
            if not quiet and time.monotonic() - shown >= _REFRESH_SECONDS:
                show()

        asked = run.wait_interruptibly(
            look, lambda: print("stopping; interrupt again to stop at once")
        )
        if not quiet:
            show()
        return asked

    # Commands about what runs.

    def _named(
        self, a: argparse.Namespace, variables: Mapping[str, Any]
    ) -> tuple[str, Background[Any]]:
        name = a.name or self._last
        if name in self._runs:
            return name, self._runs[name]
        if a.name and (a.job or self.rayjob):
            self._runs[name] = run = self._attached(a, variables)
            return name, run
        known = ", ".join(self._runs) or "none"
        raise ParameterError(
            f"no training {name!r} was started here (there are: {known}); use "
            "%xgb_ray attach NAME for a rayjob of another kernel"
        )

    def _attached(self, a: argparse.Namespace, variables: Mapping[str, Any]) -> Background[Any]:
        from gateway_ext.xgb_ray.rayjob.client import attach
        from gateway_ext.xgb_ray.rayjob.settings import check_settings

        settings = {**self.rayjob, **read_settings(a.job, variables)}
        check_settings(settings)
        namespace = str(settings.get("namespace", "default"))
        return attach(a.name, namespace, storage=str(settings.get("storage", "")))

    def _attach(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        self._follow(a, self._attached(a, variables))

    def _status(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        _, run = self._named(a, variables)
        display(_picture(run), raw=True)

    def _logs(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        _, run = self._named(a, variables)
        if a.follow and hasattr(run, "log"):
            for line in run.log(follow=True):
                print(line, flush=True)
            return
        print("\n".join(str(event) for event in run.events))
        if run.error is not None:
            print(run.error)

    def _stop(self, a: argparse.Namespace, cell: str, variables: Mapping[str, Any]) -> Any:
        name, run = self._named(a, variables)
        if run.done and run.error is None:
            print(f"it had ended already; see {name}")
            return
        run.stop_now() if a.now else run.stop()
        try:
            result = run.wait(_STOP_SECONDS)
        except (XGBRayError, TimeoutError) as error:
            print(error)
            return
        self._variables[name if name.isidentifier() else "xgb_result"] = result
        print(_kept(result, name))


def _kept(result: Any, out: str) -> str:
    if isinstance(result, TrainResult):
        return f"stopped after round {result.rounds}; the model is in {out}"
    if isinstance(result, TuneResult):
        return f"stopped; the best model of {len(result.trials)} trials is in {out}"
    return f"it had ended already; see {out}"


def _options(table: type[Any], a: argparse.Namespace) -> dict[str, Any]:
    """The options of a table that a line gives, but for the cluster."""
    found = {**of_line(table, a)}
    found.pop("cluster", None)
    for name in ("features", "categorical"):
        if name in found:
            found[name] = names(found[name])
    if "base_margin" in found:
        found["base_margin"] = one_or_all(found["base_margin"])
    return found


def _picture(run: Background[Any]) -> dict[str, Any]:
    status = run.status()
    return bundle(str(status), status._repr_html_())


def register(shell: InteractiveShell) -> None:
    """Make the magic and its completion known to a shell."""
    # Ray's progress bars want widgets, which these pictures do without.
    warnings.filterwarnings("ignore", message="IProgress not found")
    logging.getLogger("ray.widgets").setLevel(logging.WARNING)
    shell.register_magics(XGBRayMagics(shell))
    # A terminal or kernel has a completer; a shell of a test may have none.
    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(matcher(shell))
