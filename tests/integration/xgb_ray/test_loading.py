"""The tasks that load data are repeated when their processes die or hang; objects outlive both."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from threading import Timer
from typing import Any

import pandas as pd
import pytest

from gateway_ext.xgb_ray import start_training
from gateway_ext.xgb_ray.errors import DataError
from gateway_ext.xgb_ray.ray_cluster.tasks import Call, run_calls
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.training.planning import make_plan
from tests.integration.xgb_ray.object_store import objects_in_store


def here() -> str:
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node


def wait(refs: list[Any]) -> list[Any]:
    import ray

    return list(ray.wait(refs, timeout=0.1, fetch_local=False)[0])


def killed_at_first(mark: str, how: int, value: int) -> list[Any]:
    """Ends or stops its own process the first time."""
    if not Path(mark).exists():
        Path(mark).write_text(str(os.getpid()))
        os.kill(os.getpid(), how)
    return [os.getpid(), value]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_task_whose_process_dies_or_hangs_is_run_again(tmp_path: Path, how: int) -> None:
    import ray

    mark = tmp_path / "mark"
    calls = [Call(killed_at_first, (str(mark), how, i), here(), 1) for i in range(3)]
    told: list[Call] = []
    try:
        run_calls(calls, {here(): 1}, wait, patience=0.5, repeated=told.append)
        assert [c.value for c in calls] == [0, 1, 2]
        first = int(mark.read_text())
        assert first not in ray.get([r for c in calls for r in c.refs])
        assert calls[0] in told or how == signal.SIGKILL
    finally:
        if how == signal.SIGSTOP:
            os.kill(int(mark.read_text()), signal.SIGKILL)


def test_tasks_that_are_all_slow_are_not_all_started_again(tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"

    def slow(i: int) -> list[Any]:
        while not go_on.exists():
            time.sleep(0.01)
        return [i]

    told: list[Call] = []
    until_one_ended: list[Call] = []

    def let_go() -> None:
        until_one_ended.extend(told)
        go_on.touch()

    def repeated(call: Call) -> None:
        told.append(call)
        if len(told) == 1:
            Timer(1.0, let_go).start()

    calls = [Call(slow, (i,), here()) for i in range(3)]
    # All are overdue after 8 s, and the backup of the first one 8 s later.
    run_calls(calls, {here(): 3}, wait, patience=2, repeated=repeated)
    assert [c.value for c in calls] == [0, 1, 2]
    assert until_one_ended == [calls[0]]


def test_workers_of_a_local_cluster_have_the_priority_of_this_process() -> None:
    # Ray's own default is the lowest: under load each round would wait for a starved worker.
    call = Call(lambda: [os.nice(0)], (), here())
    run_calls([call], {here(): 1}, wait)
    assert call.value == os.nice(0)


def test_no_more_tasks_run_than_there_is_room_for(tmp_path: Path) -> None:
    def work(i: int) -> list[Any]:
        mine = tmp_path / f"{i}"
        mine.touch()
        seen = len(list(tmp_path.iterdir()))
        time.sleep(0.2)
        mine.unlink()
        return [seen]

    calls = [Call(work, (i,), here()) for i in range(5)]
    run_calls(calls, {here(): 2}, wait)
    assert max(c.value for c in calls) <= 2


def test_what_a_task_finds_wrong_is_raised_and_ends_the_others(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def slow() -> list[Any]:
        begun.write_text(str(os.getpid()))
        time.sleep(300)
        return [0]

    def broken() -> list[Any]:
        while not begun.exists() or not begun.read_text():
            time.sleep(0.01)
        raise DataError("there is a hole in it")

    with pytest.raises(DataError, match="hole"):
        run_calls([Call(slow, (), here()), Call(broken, (), here())], {here(): 2}, wait)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{begun.read_text()}").exists():
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.1)


def test_data_is_placed_without_workers_and_stays(parquet: Path) -> None:
    import ray

    plan = make_plan(
        {"objective": "binary:logistic"},
        str(parquet),
        "label",
        TrainOptions(features=[f"x{i}" for i in range(6)], workers=3),
    )
    controller = Controller(plan)
    placed = controller.place_data()
    assert [s.pid for s in controller.workers.slots] == [0, 0, 0]
    shards = ray.get([s.ref for s in placed.shards["train"]])
    assert sum(s.rows for s in shards) == 12_000
    assert {s.home for s in placed.shards["train"]} == {0, 1, 2}
    assert controller.cpu_seconds > 0


@pytest.mark.parametrize("good", [True, False])
def test_whoever_keeps_a_run_keeps_no_data(frame: pd.DataFrame, good: bool) -> None:
    # As the magic does, for `status` and `logs`.
    data = frame if good else frame.assign(label=[*[1.0] * (len(frame) - 1), None])
    before = objects_in_store()
    run = start_training({}, data, "label", num_boost_round=2, workers=3)
    if good:
        run.wait(60)
    else:
        with pytest.raises(DataError, match="has 1 nulls"):
            run.wait(60)
    deadline = time.monotonic() + 20
    while objects_in_store() > before:
        assert time.monotonic() < deadline, "the data is still there"
        time.sleep(0.2)
    assert run.done
