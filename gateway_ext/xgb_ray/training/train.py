"""`train`: boosting over Ray workers with the meaning of `xgboost.train`."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.data.columns import parse_columns
from gateway_ext.xgb_ray.data.models import load_model
from gateway_ext.xgb_ray.data.sources import check_workers, open_source, same_data
from gateway_ext.xgb_ray.errors import ParameterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.ray_cluster.connect import connect
from gateway_ext.xgb_ray.training.checkpoint import load_checkpoint, saver
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.failures import FailurePolicy
from gateway_ext.xgb_ray.training.params import check_params, max_bin_of
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.training.scaling import ElasticScaling, Scaling, WaitingScaling
from gateway_ext.xgb_ray.worker.boosting import Recipe, TrainState, pickled

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    import xgboost as xgb

# The booster attribute that carries what prediction has to know of the data.
DATA_ATTRIBUTE = "xgb_ray"


@dataclass(frozen=True)
class Status:
    """A training at one moment; `eta` in seconds, or None while it cannot be told."""

    phase: Phase
    rounds: int
    total: int
    metrics: dict[str, dict[str, list[float]]]
    alive: int
    workers: int
    seconds: float
    eta: float | None
    failures: int

    def __str__(self) -> str:
        from gateway_ext.xgb_ray.display import status_text

        return status_text(self)

    def _repr_html_(self) -> str:
        from gateway_ext.xgb_ray.display import status_html

        return status_html(self)


class Run(Background[TrainResult]):
    """A training in the background. `wait` for its result; `stop` keeps the model so far."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._begin()

    def carry_out(self) -> None:
        """Train; there is a result after a failure too."""
        error: BaseException | None = None
        try:
            self._controller.run()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._result = make_result(self._controller, error)
            if isinstance(error, TrainingError):
                error.result = self._result

    def stop(self) -> None:
        """Stop after the round that is being computed; the model so far is kept."""
        self._controller.stop()

    def stop_now(self) -> None:
        """Stop at once, with the newest model that the driver holds."""
        self._controller.stop_now()

    @property
    def events(self) -> list[Any]:
        """What happened so far."""
        return list(self._controller.record.events)

    def status(self) -> Status:
        """Where the training is."""
        plan, record = self._controller.plan, self._controller.record
        total = plan.recipe.rounds
        left = max(0, total - record.rounds)
        known = record.round_seconds and not record.phase.final
        return Status(
            phase=record.phase,
            rounds=record.rounds,
            total=total,
            metrics=history(record),
            alive=self._controller.crew.alive,
            workers=plan.workers,
            seconds=record.timings.get("total", time.monotonic() - record.started),
            eta=left * record.round_seconds if known else None,
            failures=sum(e.kind in ("lost", "frozen") for e in list(record.events)),
        )


def history(record: Record) -> dict[str, dict[str, list[float]]]:
    """Metrics as far as the driver knows them."""
    if record.phase.final or not record.log:
        return record.state.history
    out: dict[str, dict[str, list[float]]] = {}
    for _, values in list(record.log):
        for data, metrics in values.items():
            for metric, value in metrics.items():
                out.setdefault(data, {}).setdefault(metric, []).append(value)
    return out


def train(
    params: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    *,
    progress: Callable[[Status], None] | None = None,
    **options: Any,
) -> TrainResult:
    """Train a model; as `start_training`, but waits for the result.

    An interrupt (^C) stops after the current round and returns what there is; a second one stops
    at once. No worker stays behind in any case.

    Args:
        progress: is called about twice a second with a `Status`.

    Raises:
        XGBRayError: see `start_training`; `TrainingError.result` has what was reached.
    """
    run = start_training(params, data, label, **options)
    shown = 0.0

    def look() -> None:
        nonlocal shown
        if progress is not None and time.monotonic() - shown >= 0.5:
            shown = time.monotonic()
            progress(run.status())

    try:
        run.wait_interruptibly(look)
    except BaseException:
        # Out of `progress`: nobody would be left to end it.
        run.stop_now()
        raise
    return run.wait()


def start_training(
    params: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    *,
    num_boost_round: int = 10,
    evals: Mapping[str, Any] | Sequence[tuple[Any, str]] | None = None,
    weight: str | None = None,
    qid: str | None = None,
    group: str | None = None,
    base_margin: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
    missing: float | None = None,
    densify: bool = False,
    workers: int = 2,
    cpus_per_worker: float = 1,
    memory_per_worker: int | None = None,
    elastic: bool = True,
    min_workers: int = 1,
    max_failures: int = 3,
    cuts: str = "sample",
    sample_rows: int | None = None,
    obj: Callable[..., Any] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    early_stopping_rounds: int | None = None,
    maximize: bool | None = None,
    xgb_model: Any = None,
    checkpoint_path: str | None = None,
    checkpoint_every: int = 10,
    resume: bool = False,
    heartbeat_timeout: float = 15.0,
    start_timeout: float = 600.0,
    cluster: str | None = None,
    filesystem: pafs.FileSystem | None = None,
) -> Run:
    """Start a training in the background.

    Args:
        params: XGBoost's parameters (`tree_method` is hist).
        data: Parquet paths, URIs or globs, a pyarrow Dataset or Table, a pandas DataFrame, or a
            Ray Dataset.
        label: the label column, or several for several targets.
        num_boost_round: rounds to compute.
        evals: data to measure on after each round, by name: `{"test": "test.parquet"}` or pairs
            as in `xgboost.train`. The training data itself may be among them.
        weight, base_margin: columns, see `Columns`. `qid` (or `group`): the column of the groups
            of a ranking.
        features: feature columns; all without another part unless given. A single column of
            Spark ML vectors holds all features.
        categorical: those of the features that are categories.
        missing, densify: what a gap in a sparse vector means, see `Columns`.
        workers: Ray actors to train with.
        cpus_per_worker: CPUs of each, all used in reading and in training.
        memory_per_worker: bytes to reserve for each on its node.
        elastic: when a worker dies go on with the others at once and take a replacement in when
            that pays; otherwise hold until the replacement is there.
        min_workers: with `elastic`, hold when fewer than these are left.
        max_failures: lost workers to survive; -1 for any number.
        cuts: "sample" (bins from a sample of rows: no communication, the same bins whatever
            happens to workers) or "full" (bins from all rows, sketched together).
        sample_rows: rows to sample, instead of 512 a bin.
        obj, custom_metric: Python functions as in `xgboost.train`; a metric is computed on each
            worker's rows and averaged by rows.
        callbacks: called on every worker after every round, as in `xgboost.train`.
        early_stopping_rounds, maximize: as in `xgboost.train`.
        xgb_model: a Booster, a result with one, or a path to one, to continue from.
        checkpoint_path: a file or URI to keep the model in every `checkpoint_every` rounds;
            `resume` begins from it if it is there.
        heartbeat_timeout: seconds without an answer after which a worker is taken for frozen. A
            thread of its own answers, which a function that holds Python's lock keeps from it.
        start_timeout: seconds to wait for room in the cluster.
        cluster: see `cluster.connect`.

    Raises:
        DataError, ParameterError, ClusterError: what was asked for cannot be; nothing is left
            running. Errors of the training itself come from `Run.wait`.
    """
    plan = make_plan(**{k: v for k, v in locals().items() if k != "cluster"}, cluster=cluster)
    return Run(Controller(plan))


def option_defaults() -> dict[str, Any]:
    """The options of `start_training` with their defaults."""
    parameters = inspect.signature(start_training).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def make_plan(
    params: Mapping[str, Any], data: Any, label: str | Sequence[str], **options: Any
) -> Plan:
    """Check the arguments of `start_training`, connect, and look at the data's schemas."""
    o = options
    workers, rounds = o["workers"], o["num_boost_round"]
    if not isinstance(workers, int) or workers < 1:
        raise ParameterError(f"workers must be a whole number above 0, not {workers!r}")
    if not isinstance(rounds, int) or rounds < 1:
        raise ParameterError(f"num_boost_round must be a whole number above 0, not {rounds!r}")
    if o["cpus_per_worker"] <= 0:
        raise ParameterError("cpus_per_worker must be above 0")
    if o["cuts"] not in ("sample", "full"):
        raise ParameterError(f"cuts must be 'sample' or 'full', not {o['cuts']!r}")
    if not label:
        raise ParameterError("label must name the column to learn")
    if o["qid"] and o["group"]:
        raise ParameterError("qid and group are the same thing: give one")
    checked = check_params(params, custom_objective=o["obj"] is not None)
    columns = parse_columns(
        label,
        weight=o["weight"],
        qid=o["qid"] or o["group"],
        base_margin=o["base_margin"],
        features=o["features"],
        categorical=o["categorical"],
        missing=o["missing"],
        densify=o["densify"],
    )
    start = _start_state(o)
    named = _named_evals(o["evals"])
    if o["early_stopping_rounds"] and not named:
        raise ParameterError("early_stopping_rounds needs evals to watch")

    connect(o["cluster"])
    slices = workers * 4
    sources = {"train": open_source(data, "the training data", o["filesystem"], slices)}
    check_workers(sources["train"], workers)
    resolved = {"train": sources["train"].resolve(columns)}
    evals: list[tuple[str, str]] = []
    seen = [("train", data)]
    for name, other in named:
        key = next((k for k, d in seen if same_data(d, other)), None)
        if key is None:
            key = f"eval{len(seen)}"
            seen.append((key, other))
            what = f"the eval set {name!r}"
            sources[key] = open_source(other, what, o["filesystem"], slices)
            known = resolved["train"]
            wanted = replace(columns, features=(known.vector,) if known.vector else known.features)
            resolved[key] = sources[key].resolve(wanted)
        evals.append((key, name))

    scaling: Scaling = WaitingScaling()
    if o["elastic"]:
        scaling = ElasticScaling(min(o["min_workers"], workers))
    return Plan(
        recipe=Recipe(checked, rounds, pickled((o["obj"], o["custom_metric"]))),
        sources=sources,
        columns=resolved,
        evals=tuple(evals),
        start=start,
        workers=workers,
        cpus=o["cpus_per_worker"],
        scaling=scaling,
        failures=FailurePolicy(o["max_failures"]),
        cuts=o["cuts"],
        sample_rows=o["sample_rows"],
        max_bin=max_bin_of(checked),
        memory_bytes=o["memory_per_worker"],
        heartbeat_seconds=o["heartbeat_timeout"],
        start_seconds=o["start_timeout"],
        checkpoint_every=o["checkpoint_every"],
        save_checkpoint=saver(o["checkpoint_path"]) if o["checkpoint_path"] else None,
    )


def _start_state(o: Mapping[str, Any]) -> TrainState:
    import xgboost as xgb

    callbacks = list(o["callbacks"] or [])
    for callback in callbacks:
        if not isinstance(callback, xgb.callback.TrainingCallback):
            kind = type(callback).__name__
            raise ParameterError(f"callbacks must be xgboost TrainingCallbacks, not {kind}")
    if o["early_stopping_rounds"]:
        rounds, maximize = o["early_stopping_rounds"], o["maximize"]
        callbacks.append(xgb.callback.EarlyStopping(rounds=rounds, maximize=maximize))
    model = o["xgb_model"]
    start = TrainState(
        model=None if model is None else bytes(load_model(model).save_raw("ubj")),
        callbacks=pickled(callbacks),
    )
    if o["resume"]:
        if not o["checkpoint_path"]:
            raise ParameterError("resume=True needs checkpoint_path")
        return load_checkpoint(o["checkpoint_path"], start)
    return start


def _named_evals(evals: Any) -> list[tuple[str, Any]]:
    if not evals:
        return []
    pairs = list(evals.items()) if isinstance(evals, Mapping) else [(n, d) for d, n in evals]
    names = [n for n, _ in pairs]
    for name in names:
        # XGBoost gives metrics as text: `NAME-METRIC:VALUE`, with blanks between.
        if not isinstance(name, str) or not name or any(c in "-:" or c.isspace() for c in name):
            raise ParameterError(
                f"the name of an eval set must be a word without '-' and ':', not {name!r}"
            )
    if len(set(names)) < len(names):
        raise ParameterError("two eval sets have the same name")
    return pairs


def make_result(controller: Controller, error: BaseException | None) -> TrainResult:
    """The result from what a controller holds after its end."""
    import xgboost as xgb

    record = controller.record
    state = record.state
    booster: xgb.Booster | None = None
    if state.model is not None:
        booster = xgb.Booster(model_file=bytearray(state.model))
        booster.set_attr(**{DATA_ATTRIBUTE: json.dumps(_data_facts(controller))})
    phase = record.phase.value if record.phase.final else Phase.FAILED.value
    message = ""
    if error is not None:
        message = str(error) if isinstance(error, XGBRayError) else repr(error)
    return TrainResult(
        booster=booster,
        evals_result=state.history,
        events=list(record.events),
        timings=dict(record.timings),
        state=phase,
        rounds=state.rounds,
        params=dict(controller.plan.recipe.params),
        facts={
            "workers": controller.plan.workers,
            **controller.loaded,
            "peak_memory_bytes": controller.crew.peak_memory,
            "cpu_seconds": round(controller.cpu_seconds, 2),
        },
        error=message,
    )


def _data_facts(controller: Controller) -> dict[str, Any]:
    columns = controller.plan.columns["train"]
    layout = controller.layout
    return {
        "features": list(columns.features) if columns.features else None,
        "vector": columns.vector,
        "categories": {k: list(v) for k, v in layout.categories.items()} if layout else {},
        "missing": None if columns.missing != columns.missing else columns.missing,
        "densify": columns.densify,
        "label": list(columns.label),
    }
