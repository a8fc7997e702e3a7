"""Real workers killed and frozen in the middle of a training."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway_ext.xgb_ray import Run, TrainingError, TrainResult, start_training, train
from gateway_ext.xgb_ray.training import Status

PARAMS = {"objective": "binary:logistic", "eval_metric": "logloss", "max_depth": 4}
ROUNDS = 30


def begin(parquet: Path, **options: Any) -> Run:
    given: dict[str, Any] = {
        "num_boost_round": ROUNDS,
        "evals": {"train": str(parquet)},
        "features": [f"x{i}" for i in range(6)],
        "heartbeat_timeout": 20.0,
        **options,
    }
    return start_training(PARAMS, str(parquet), "label", **given)


def pids(run: Run) -> list[int]:
    return [slot.pid for slot in run._controller.crew.slots if slot.state == "ready"]


def at_round(run: Run, wanted: int) -> None:
    deadline = time.monotonic() + 90
    while run._controller.record.rounds < wanted:
        assert not run.done, run.error
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, parquet: Path) -> TrainResult:
    return begin(parquet, workers=3).wait(120)


def same_as(result: TrainResult, undisturbed: TrainResult) -> None:
    ours = result.evals_result["train"]["logloss"]
    theirs = undisturbed.evals_result["train"]["logloss"]
    assert result.state == "finished"
    assert len(ours) == len(theirs) == result.booster.num_boosted_rounds() == ROUNDS
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize("elastic", [True, False])
def test_one_of_four_is_killed(parquet: Path, undisturbed: TrainResult, elastic: bool) -> None:
    run = begin(parquet, workers=4, elastic=elastic)
    at_round(run, 8)
    before = pids(run)
    os.kill(before[-1], signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed)
    recovered = next(e for e in result.events if e.kind == "recovered")
    # Survivors come back with their processes: three, at once, and no round is done twice.
    assert recovered.detail["survivors"] == 3
    assert recovered.detail["survivors_back_ms"] < 2000
    assert recovered.detail["rounds_lost"] == 0
    if not elastic:
        assert any(e.kind == "replaced" for e in result.events)


@pytest.mark.long
def test_a_frozen_worker_is_found_by_its_heartbeat(parquet: Path, undisturbed: TrainResult) -> None:
    run = begin(parquet, workers=3, heartbeat_timeout=4.0)
    at_round(run, 8)
    victim = pids(run)[0]  # rank 0, where the others meet
    os.kill(victim, signal.SIGSTOP)
    stopped = time.monotonic()
    while not any(e.kind == "frozen" for e in run.events):
        assert time.monotonic() - stopped < 30
        time.sleep(0.01)
    assert time.monotonic() - stopped < 4.0 + 3.0
    same_as(run.wait(120), undisturbed)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{victim}").exists():
        assert time.monotonic() < deadline, "the frozen process is still there"
        time.sleep(0.1)


@pytest.mark.long
def test_all_workers_are_killed(parquet: Path, undisturbed: TrainResult) -> None:
    run = begin(parquet, workers=3, max_failures=3)
    at_round(run, 10)
    for pid in pids(run):
        os.kill(pid, signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed)


def test_too_many_failures_keep_the_model(parquet: Path) -> None:
    run = begin(parquet, workers=2, max_failures=0, num_boost_round=3000)
    at_round(run, 5)
    time.sleep(0.5)
    os.kill(pids(run)[0], signal.SIGKILL)
    with pytest.raises(TrainingError, match="max_failures=0") as caught:
        run.wait(60)
    assert caught.value.result is run.result
    assert run.result is not None
    assert run.result.booster.num_boosted_rounds() >= 1


@pytest.mark.long
def test_killed_while_loading(parquet: Path, undisturbed: TrainResult) -> None:
    run = begin(parquet, workers=3)
    deadline = time.monotonic() + 60
    while not pids(run):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(pids(run)[0], signal.SIGKILL)
    same_as(run.wait(120), undisturbed)


@pytest.mark.long
def test_stop_keeps_the_model_and_stop_now_is_at_once(parquet: Path) -> None:
    run = begin(parquet, workers=2, num_boost_round=5000)
    at_round(run, 5)
    run.stop()
    result = run.wait(30)
    assert result.state == "stopped"
    assert 5 <= result.rounds == result.booster.num_boosted_rounds() < 5000
    run = begin(parquet, workers=2, num_boost_round=5000)
    at_round(run, 20)
    time.sleep(0.5)
    run.stop_now()
    result = run.wait(10)
    assert result.state == "stopped"
    assert result.booster.num_boosted_rounds() >= 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background inherits that interrupts are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_stops_after_the_round(parquet: Path) -> None:
    interrupted = []

    def interrupt(status: Status) -> None:
        # By the rounds, not by the clock: a fast machine would be through, a slow one not begun.
        if status.rounds >= 5 and not interrupted:
            interrupted.append(status.rounds)
            signal.raise_signal(signal.SIGINT)

    result = train(
        PARAMS,
        str(parquet),
        "label",
        num_boost_round=100_000,
        features=[f"x{i}" for i in range(6)],
        progress=interrupt,
    )
    assert result.state == "stopped"
    assert interrupted[0] <= result.rounds == result.booster.num_boosted_rounds() < 100_000
