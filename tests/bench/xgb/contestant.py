"""`python -m tests.bench.xgb.contestant NAME JSON`: does one thing and prints its figures.

Every contestant prints `{"ms": …, …}` as its last line. Those that train say in `ms` how long it
took from the start of this process, and in `warm_ms` how long once more, from Parquet to the model.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.xgb.process import AGAIN

STARTED = time.perf_counter()
PARAMS = {"objective": "binary:logistic", "max_depth": 6, "tree_method": "hist"}


def make_dense(folder: str, rows: int, columns: int = 50, files: int = 16) -> dict[str, float]:
    """`rows` x `columns` float32 in Parquet files, once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i in range(files):
        n = rows * (i + 1) // files - rows * i // files
        data = {f"f{j}": rng.standard_normal(n).astype("f4") for j in range(columns)}
        score = data["f0"] + data["f1"] * data["f2"] + rng.standard_normal(n)
        data["label"] = (score > 0).astype("f4")
        pq.write_table(pa.table(data), f"{folder}/part-{i:02d}.parquet")
    return {"ms": 0}


def make_vectors(folder: str, rows: int, kind: str, size: int = 139) -> dict[str, float]:
    """Spark ML vectors: "sparse" (10 %), "mixed" (about a third zeros) or "dense"."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    Path(folder).mkdir(parents=True, exist_ok=True)
    types = [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
    density = {"sparse": 0.1, "mixed": 0.66, "dense": 1.0}[kind]
    for i in range(8):
        n = rows * (i + 1) // 8 - rows * i // 8
        mask = rng.random((n, size)) < density
        cells = rng.standard_normal((n, size)) * mask
        # Spark's own rule: sparse where 1.5 (non-zeros + 1) < size.
        dense = 1.5 * (mask.sum(1) + 1) >= size if kind != "dense" else np.ones(n, bool)
        keep = mask | dense[:, None]
        lengths = keep.sum(1)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("i4")
        at = np.where(dense, 0, lengths)
        index_offsets = np.concatenate([[0], np.cumsum(at)]).astype("i4")
        indices = np.broadcast_to(np.arange(size, dtype="i4"), (n, size))[keep & ~dense[:, None]]
        empty = pa.array(dense)
        struct = pa.StructArray.from_arrays(
            [
                pa.array(dense.astype("i1")),
                pa.array(np.full(n, size, "i4"), mask=dense),
                pa.ListArray.from_arrays(pa.array(index_offsets), pa.array(indices), mask=empty),
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(cells[keep])),
            ],
            fields=[pa.field(a, b) for a, b in types],
        )
        label = (cells[:, 0] > 0).astype("f4")
        table = pa.table({"features": struct, "label": label})
        pq.write_table(table, f"{folder}/part-{i}.parquet", row_group_size=1 << 15)
    return {"ms": 0}


def _ms(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def _timed(fit: Callable[[], None], again: bool = True) -> dict[str, float]:
    """Fit from the start of this process, and `again` now that everything is up."""
    fit()
    first = _ms(STARTED)
    if not again:
        return {"ms": first}
    print(AGAIN, flush=True)
    start = time.perf_counter()
    fit()
    return {"ms": first, "warm_ms": _ms(start)}


def plain(folder: str, rounds: int) -> dict[str, float]:
    """xgboost alone: QuantileDMatrix from Arrow, two threads."""
    import pyarrow.parquet as pq
    import xgboost as xgb

    def fit() -> None:
        table = pq.read_table(folder)
        label = table["label"].to_numpy()
        matrix = xgb.QuantileDMatrix(table.drop_columns(["label"]), label, nthread=2)
        xgb.train({**PARAMS, "nthread": 2}, matrix, rounds)

    return _timed(fit)


def ours(folder: str, rounds: int, again: bool = True) -> dict[str, float]:
    """Two workers of one CPU."""
    from gateway_ext.xgb_ray import train
    from gateway_ext.xgb_ray.ray_cluster.connect import connect

    connect("local", local_cpus=2)

    def fit() -> None:
        result = train(PARAMS, folder, "label", num_boost_round=rounds, workers=2)
        assert result.rounds == rounds

    return _timed(fit, again)


def ray_train(folder: str, rounds: int, every: int, again: bool = True) -> dict[str, float]:
    """Ray Train on its documented path, reporting every so many rounds; its workers have the
    priority of ours and of a process alone."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "2" if every == 1 else "0.1"
    import ray
    import ray.train
    from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer

    # A trainer needs a place for its controller beside its workers.
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)

    def work() -> None:
        import xgboost as xgb

        frame = ray.train.get_dataset_shard("train").materialize().to_pandas()
        matrix = xgb.DMatrix(frame.drop(columns="label"), frame["label"])
        callback = RayTrainReportCallback(frequency=every)
        xgb.train(
            {**PARAMS, "nthread": 1},
            matrix,
            rounds,
            callbacks=[callback],
            evals=[(matrix, "train")],
            verbose_eval=False,
        )

    def fit() -> None:
        XGBoostTrainer(
            work,
            datasets={"train": ray.data.read_parquet(folder)},
            scaling_config=ray.train.ScalingConfig(num_workers=2),
        ).fit()

    return _timed(fit, again)


def spark(folder: str, rounds: int) -> dict[str, float]:
    """xgboost.spark with local[2]."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession
    from xgboost.spark import SparkXGBClassifier

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def fit() -> None:
        data = session.read.parquet(folder)
        SparkXGBClassifier(
            features_col=[c for c in data.columns if c != "label"],
            label_col="label",
            num_workers=2,
            n_estimators=rounds,
            max_depth=6,
            tree_method="hist",
        ).fit(data)

    return _timed(fit)


def _faulty(folder: str, rounds: int, workers: int, **options: Any) -> Any:
    """A training of ours that is about to meet a fault."""
    from gateway_ext.xgb_ray import start_training
    from gateway_ext.xgb_ray.ray_cluster.connect import connect

    connect("local", local_cpus=workers)
    return start_training(
        {**PARAMS, "eval_metric": ["auc", "logloss"]},
        folder,
        "label",
        num_boost_round=rounds,
        workers=workers,
        evals={"train": folder},
        max_failures=-1,
        **options,
    )


def _reached(run: Any, rounds: int) -> None:
    while run._controller.record.rounds < rounds:
        if run.done:
            run.wait()
            raise RuntimeError(f"it was over before round {rounds}")
        time.sleep(0.002)


def fault(folder: str, rounds: int, kill_at: int, elastic: bool) -> dict[str, float]:
    """Four workers; one is killed after `kill_at` rounds (0: none)."""
    start = time.perf_counter()
    run = _faulty(folder, rounds, 4, elastic=elastic)
    if kill_at:
        _reached(run, kill_at)
        os.kill(run._controller.workers.slots[3].pid, signal.SIGKILL)
    result = run.wait()
    back = [e.detail for e in result.events if e.kind == "recovered"]
    last = {name: values[-1] for name, values in result.evals_result["train"].items()}
    return {
        "ms": _ms(start),
        "logloss_1e6": round(last["logloss"] * 1e6),
        "auc_1e6": round(last["auc"] * 1e6),
        "rounds_lost": back[0]["rounds_lost"] if back else 0,
    }


def fault_ray_train(folder: str, rounds: int, kill_at: int) -> dict[str, float]:
    """The same with Ray Train: a checkpoint every ten rounds, its health looked at ten times a
    second, one lost worker forgiven."""
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.1"
    import threading

    import ray
    import ray.train
    from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer

    progress, storage = Path(f"{folder}-progress"), f"{folder}-storage"
    progress.unlink(missing_ok=True)
    # Its controller needs a place beside the four workers.
    ray.init(num_cpus=5, include_dashboard=False, log_to_driver=False)
    start = time.perf_counter()

    def work() -> None:
        import xgboost as xgb

        class Tell(xgb.callback.TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                if ray.train.get_context().get_world_rank() == 3:
                    with progress.open("a") as file:
                        file.write(f"{os.getpid()} {model.num_boosted_rounds()}\n")
                return False

        frame = ray.train.get_dataset_shard("train").materialize().to_pandas()
        matrix = xgb.DMatrix(frame.drop(columns="label"), frame["label"])
        checkpoint, model, done = ray.train.get_checkpoint(), None, 0
        if checkpoint:
            model = RayTrainReportCallback.get_model(checkpoint)
            done = model.num_boosted_rounds()
        xgb.train(
            {**PARAMS, "eval_metric": ["auc", "logloss"], "nthread": 1},
            matrix,
            rounds - done,
            callbacks=[RayTrainReportCallback(frequency=10), Tell()],
            evals=[(matrix, "train")],
            verbose_eval=False,
            xgb_model=model,
        )

    killed: list[int] = []

    def kill() -> None:
        while not killed:
            lines = progress.read_text().splitlines() if progress.exists() else []
            if lines and int(lines[-1].split()[1]) >= kill_at:
                killed.append(int(lines[-1].split()[0]))
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.005)

    if kill_at:
        threading.Thread(target=kill, daemon=True).start()
    result = XGBoostTrainer(
        work,
        datasets={"train": ray.data.read_parquet(folder)},
        scaling_config=ray.train.ScalingConfig(num_workers=4),
        run_config=ray.train.RunConfig(
            storage_path=storage, failure_config=ray.train.FailureConfig(max_failures=1)
        ),
    ).fit()
    seen = [int(line.split()[1]) for line in progress.read_text().splitlines()]
    return {
        "ms": _ms(start),
        "logloss_1e6": round(result.metrics["train-logloss"] * 1e6),
        "auc_1e6": round(result.metrics["train-auc"] * 1e6),
        "rounds_lost": len(seen) - len(set(seen)),
    }


def survivors(folder: str, faults: list[list[Any]], heartbeat: float) -> dict[str, float]:
    """For each fault, a signal and a number of workers, what `_back_after` tells, under the name
    "SIGNAL WORKERS NAME"."""
    from gateway_ext.xgb_ray.ray_cluster.connect import connect

    connect("local", local_cpus=max(workers for _, workers in faults))
    return {
        f"{how} {workers} {name}": value
        for how, workers in faults
        for name, value in _back_after(folder, how, workers, heartbeat).items()
    }


def _back_after(folder: str, how: str, workers: int, heartbeat: float) -> dict[str, float]:
    """One of so many workers gets a signal; milliseconds from it until the others had come out of
    the round that broke (`back_ms`), were connected with each other again, with the rows of the
    lost one among them (`ms`), and began the next round with all matrices (`next_round_ms`)."""
    from xgboost.callback import TrainingCallback

    rounds = Path(f"{folder}-rounds")
    rounds.unlink(missing_ok=True)

    class Tell(TrainingCallback):
        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            with rounds.open("a") as file:
                file.write(f"{time.monotonic()}\n")
            return False

    run = _faulty(folder, 100_000, workers, heartbeat_timeout=heartbeat, callbacks=[Tell()])
    record = run._controller.record
    _reached(run, 10)
    at = time.monotonic()
    os.kill(run._controller.workers.slots[workers - 1].pid, signal.Signals[how])

    def event(kind: str, after: float) -> Any:
        while True:
            for e in list(record.events):
                if e.kind == kind and record.started + e.at > after:
                    return e
            time.sleep(0.001)

    recovered = event("recovered", at)
    back = record.started + recovered.at
    joined = record.started + event("joined", back).at
    _reached(run, recovered.round + 1)
    run.stop()
    run.wait(60)
    begun = sorted(float(line) for line in rounds.read_text().split())
    # All portions begin a round, one after the other; a portion is a member of its own.
    first = next(i for i, moment in enumerate(begun) if moment > back)
    return {
        "ms": (joined - at) * 1000,
        "back_ms": (back - at) * 1000,
        "next_round_ms": (begun[first + workers - 1] - at) * 1000,
        "survivors": recovered.detail["survivors"],
        "rounds_lost": recovered.detail["rounds_lost"],
    }


def capped_store(folder: str, megabytes: int, rounds: int) -> dict[str, float]:
    """A training with two workers whose object store holds so many MB; MB of memory at the peak."""
    import threading

    import psutil
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    from gateway_ext.xgb_ray import train

    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=megabytes * 10**6,
        include_dashboard=False,
        log_to_driver=False,
    )
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    over = threading.Event()
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        me = psutil.Process()
        while not over.wait(0.5):
            # What several of them map is the store, which is counted once.
            total = get_memory_info_reply(state).store_stats.object_store_bytes_used
            for process in [me, *me.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    memory = process.memory_info()
                    total += memory.rss - memory.shared
            peak = max(peak, total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    result = train(PARAMS, folder, "label", num_boost_round=rounds, workers=2)
    took = time.perf_counter() - start
    over.set()
    watcher.join()
    spilled = get_memory_info_reply(state).store_stats.spilled_bytes_total
    if result.rounds != rounds or result.failures:
        raise RuntimeError(f"{result.rounds} rounds, {result.failures}")
    return {
        "ms": took * 1000,
        "peak_mb": peak / 1e6,
        "worker_mb": result.facts["peak_memory_bytes"] / 1e6,
        "spilled_mb": spilled / 1e6,
        "store_mb": megabytes,
    }


def _usage() -> tuple[float, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def vectors_ours(folder: str, missing: float | None) -> dict[str, float]:
    """Vectors to a QuantileDMatrix, with the bins of a sample, as a worker does it."""
    import pyarrow.parquet as pq  # noqa: F401
    import scipy.sparse  # noqa: F401
    import xgboost  # noqa: F401

    from gateway_ext.xgb_ray.data import load_tasks as loader
    from gateway_ext.xgb_ray.data.columns import parse_columns
    from gateway_ext.xgb_ray.data.matrix import Layout, build_matrix, make_reference
    from gateway_ext.xgb_ray.data.sources import open_source, plan_pieces

    conversion = 0.0
    make_shard = loader.make_shard

    def timed(*arguments: Any) -> Any:
        nonlocal conversion
        before = time.process_time()
        made = make_shard(*arguments)
        conversion += time.process_time() - before
        return made

    loader.make_shard = timed
    cpu, memory = _usage()
    start = time.perf_counter()
    source = open_source(folder, "the data")
    columns = source.resolve(parse_columns("label", missing=missing))
    sampling = loader.Sampling(source.rows, 256, None)
    shards: list[Any] = []
    samples: list[Any] = []
    features = 0
    for piece in plan_pieces(source.units, 1, 16):
        *stored, facts = loader.load(piece, columns, source.filesystem, sampling, len(shards))
        shards += stored[: piece.parts]
        samples += stored[piece.parts :]
        features = facts[0].features
        del stored
    layout = Layout(features, missing=columns.missing)
    cuts = loader.make_cuts(
        samples, 0, features, max_bin=256, missing=layout.missing, nthread=1, categories=()
    )
    del samples
    fetch: list[Callable[[], Any]] = [lambda s=s: s for s in shards]  # type: ignore[misc]
    build_matrix(fetch, layout, nthread=1, reference=make_reference(cuts, layout, 1))
    return _vector_figures(start, cpu, memory, conversion)


def vectors_pandas(folder: str, missing: float | None) -> dict[str, float]:
    """Vectors by way of pandas rows and SciPy to a DMatrix."""
    import pyarrow.parquet as pq
    import scipy.sparse as sp
    import xgboost as xgb

    cpu, memory = _usage()
    start = time.perf_counter()
    table = pq.read_table(folder, use_threads=False)
    before = time.process_time()
    flat = table.flatten().to_pandas()
    sparse = flat["features.type"].to_numpy() == 0
    values = flat["features.values"].to_numpy()
    size = 139
    every = np.arange(size, dtype="i4")
    indices = [
        i if s else every for i, s in zip(flat["features.indices"].to_numpy(), sparse, strict=True)
    ]
    indptr = np.concatenate([[0], np.cumsum([len(v) for v in values])])
    matrix = sp.csr_matrix(
        (np.concatenate(values), np.concatenate(indices), indptr), shape=(len(flat), size)
    )
    conversion = time.process_time() - before
    xgb.DMatrix(
        matrix, flat["label"], nthread=1, missing=float("nan") if missing is None else missing
    )
    return _vector_figures(start, cpu, memory, conversion)


def _vector_figures(start: float, cpu: float, memory: float, conversion: float) -> dict[str, float]:
    after, peak = _usage()
    return {
        "ms": _ms(start),
        "cpu_ms": (after - cpu) * 1000,
        "convert_cpu_ms": conversion * 1000,
        "peak_mb": peak - memory,
    }


def isotonic(rows: int, who: str) -> dict[str, float]:
    """Isotonic calibration of as many predictions."""
    rng = np.random.default_rng(0)
    p = rng.random(rows, dtype="f4") ** 2
    y = (rng.random(rows, dtype="f4") < p).astype("f4")
    if who == "ray":
        import pandas as pd
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        data = ray.data.from_pandas(pd.DataFrame({"p": p, "y": y}))
        start = time.perf_counter()
        data.groupby("p").mean("y").materialize()
        return {"ms": _ms(start)}
    if who == "ours":
        from gateway_ext.xgb_ray.scoring.calibration import calibrate

        calibrate(p[:10], y[:10])
        start, cpu = time.perf_counter(), time.process_time()
        calibrate(p, y)
    else:
        from sklearn.isotonic import IsotonicRegression

        start, cpu = time.perf_counter(), time.process_time()
        IsotonicRegression(out_of_bounds="clip").fit(p, y)
    return {"ms": _ms(start), "cpu_ms": (time.process_time() - cpu) * 1000}


def predict_plain(folder: str, model: str) -> dict[str, float]:
    """Read, DMatrix, predict, write: one process, two threads."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import xgboost as xgb

    booster = xgb.Booster(model_file=model)
    start = time.perf_counter()
    table = pq.read_table(folder).drop_columns(["label"])
    values = booster.predict(xgb.DMatrix(table, nthread=2))
    pq.write_table(pa.table({"prediction": values}), f"{folder}-plain.parquet")
    return {"ms": _ms(start)}


def predict_ours(folder: str, model: str) -> dict[str, float]:
    """The same with two workers, the processes of both warm."""
    from gateway_ext.xgb_ray import predict
    from gateway_ext.xgb_ray.ray_cluster.connect import connect

    connect("local", local_cpus=2)
    # One file would be one task, and leave one of the two to start while it is measured.
    predict(model, folder)
    start = time.perf_counter()
    predict(model, folder, f"{folder}-ours")
    return {"ms": _ms(start)}


def make_model(folder: str, model: str) -> dict[str, float]:
    """A model of 50 rounds for the rows that predict."""
    import pyarrow.parquet as pq
    import xgboost as xgb

    table = pq.read_table(f"{folder}/part-00.parquet")
    matrix = xgb.QuantileDMatrix(table.drop_columns(["label"]), table["label"].to_numpy())
    xgb.train(PARAMS, matrix, 50).save_model(model)
    return {"ms": 0}


if __name__ == "__main__":
    figures = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(figures), flush=True)
