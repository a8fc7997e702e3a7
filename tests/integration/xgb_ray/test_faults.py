"""Real workers killed and frozen in the middle of a training."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from gateway_ext.xgb_ray import Run, TrainingError, TrainResult, start_training, train
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.result import Event
from gateway_ext.xgb_ray.training.rounds import SURVIVOR_SECONDS, Rounds
from gateway_ext.xgb_ray.training.scaling import ElasticScaling
from gateway_ext.xgb_ray.training.status import Status
from tests.integration.xgb_ray.rounds import unhurried

PARAMS = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"], "max_depth": 4}
ROUNDS = 30


def begin(parquet: Path, **options: Any) -> Run:
    given: dict[str, Any] = {
        "num_boost_round": ROUNDS,
        "callbacks": [unhurried(0.03)],
        "evals": {"train": str(parquet)},
        "features": [f"x{i}" for i in range(6)],
        "heartbeat_timeout": 20.0,
        **options,
    }
    return start_training(PARAMS, str(parquet), "label", **given)


def pids(run: Run) -> list[int]:
    return [slot.pid for slot in run._controller.workers.slots if slot.ready]


def holds_model(run: Run) -> None:
    """Wait until the driver holds a model, which it keeps whatever happens to workers."""
    wait_until(lambda: run._controller.record.state.model is not None, run=run)


def at_round(run: Run, wanted: int) -> None:
    def there() -> bool:
        assert not run.done, run.error or "it is over already"
        return run.status().rounds >= wanted

    wait_until(there, 90, run)


def wait_until(happened: Callable[[], bool], seconds: float = 60, run: Run | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, run and [str(e) for e in run.events]
        time.sleep(0.002)


def recovered(run: Run) -> list[Event]:
    return [e for e in run.events if e.kind == "recovered"]


Undisturbed = Callable[[int], TrainResult]


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, parquet: Path) -> Callable[[int], TrainResult]:
    """What comes of it without a fault, by the number of workers: AUC depends on that."""

    @functools.cache
    def result(workers: int) -> TrainResult:
        return begin(parquet, workers=workers, callbacks=None).wait(120)

    return result


def same_as(result: TrainResult, undisturbed: TrainResult) -> None:
    assert result.state == "finished"
    assert result.booster.num_boosted_rounds() == ROUNDS
    for metric, theirs in undisturbed.evals_result["train"].items():
        ours = result.evals_result["train"][metric]
        assert len(ours) == len(theirs) == ROUNDS
        # The sums are the same sums whoever computes them; six digits are promised.
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=metric)


@pytest.mark.parametrize("elastic", [True, False])
def test_one_of_four_is_killed(parquet: Path, undisturbed: Undisturbed, elastic: bool) -> None:
    run = begin(parquet, workers=4, elastic=elastic)
    at_round(run, 8)
    os.kill(pids(run)[-1], signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed(4))
    recovered = next(e for e in result.events if e.kind == "recovered")
    # Survivors come back with their processes: three, at once, and no round is done twice.
    assert recovered.detail["survivors"] == 3
    assert recovered.detail["rounds_lost"] == 0
    # Twenty short rounds are not worth a new process, but the other way there is no choice.
    assert any(e.kind == "replaced" for e in result.events) == (not elastic)


def test_another_one_is_killed_while_the_rest_join_again(
    parquet: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet = Rounds._meet

    def meet_and_kill(self: Rounds, members: Any) -> Any:
        met = meet(self, members)
        if self._attempt == 2:
            os.kill(self._workers.slots[2].pid, signal.SIGKILL)
        return met

    monkeypatch.setattr(Rounds, "_meet", meet_and_kill)
    run = begin(parquet, workers=4)
    at_round(run, 5)
    os.kill(run._controller.workers.slots[3].pid, signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed(4))
    assert len(result.failures) == 2
    # The first group and the last one; that in between could not be.
    joined = [e for e in result.events if e.kind == "joined"]
    assert len(joined) >= 2, [str(e) for e in result.events]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", range(2, 9))
def test_survivors_of_any_number_come_back(
    parquet: Path, undisturbed: Undisturbed, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a loaded machine, where rounds are slow, replacements would save time, and come.
    monkeypatch.setattr(ElasticScaling, "may_replace", lambda policy, force, pace: False)
    # One after the other until one is left, first of all the one where the others meet.
    run = begin(parquet, workers=workers, max_failures=-1)
    for lost in range(workers - 1):
        # In the rounds, not while survivors come together again.
        at_round(run, run.status().rounds + 2)
        os.kill(pids(run)[0], signal.SIGKILL)
        wait_until(lambda: len(recovered(run)) > lost, run=run)  # noqa: B023
    result = run.wait(120)
    same_as(result, undisturbed(workers))
    assert [e.detail["survivors"] for e in recovered(run)] == [*range(workers - 1, 0, -1)]
    assert all(e.detail["rounds_lost"] == 0 for e in recovered(run))


@pytest.mark.long
def test_a_frozen_worker_is_found_by_its_heartbeat(parquet: Path, undisturbed: Undisturbed) -> None:
    run = begin(parquet, workers=3, heartbeat_timeout=4.0)
    at_round(run, 8)
    victim = pids(run)[0]  # rank 0, where the others meet
    os.kill(victim, signal.SIGSTOP)
    stopped = time.monotonic()
    while not any(e.kind == "frozen" for e in run.events):
        assert time.monotonic() - stopped < 30
        time.sleep(0.01)
    assert time.monotonic() - stopped < 4.0 + 3.0
    same_as(run.wait(120), undisturbed(3))
    deadline = time.monotonic() + 20
    while Path(f"/proc/{victim}").exists():
        assert time.monotonic() < deadline, "the frozen process is still there"
        time.sleep(0.1)


@pytest.mark.long
def test_all_workers_are_killed(parquet: Path, undisturbed: Undisturbed) -> None:
    run = begin(parquet, workers=3, max_failures=3)
    at_round(run, 10)
    for pid in pids(run):
        os.kill(pid, signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed(3))


def test_too_many_failures_keep_the_model(parquet: Path) -> None:
    run = begin(parquet, workers=2, max_failures=0, num_boost_round=3000)
    at_round(run, 5)
    holds_model(run)
    os.kill(pids(run)[0], signal.SIGKILL)
    with pytest.raises(TrainingError, match="max_failures=0") as caught:
        run.wait(60)
    assert caught.value.result is run.result
    assert run.result is not None
    assert run.result.booster.num_boosted_rounds() >= 1


@pytest.mark.long
def test_killed_while_loading(parquet: Path, undisturbed: Undisturbed) -> None:
    run = begin(parquet, workers=3)
    deadline = time.monotonic() + 60
    while not pids(run):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(pids(run)[0], signal.SIGKILL)
    same_as(run.wait(120), undisturbed(3))


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
    holds_model(run)
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


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_does_not_wait_for_the_round(parquet: Path) -> None:
    class Stuck(xgb.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            import time

            time.sleep(0.05 if epoch < 20 else 300)
            return False

    interrupted = []

    def interrupt(status: Status) -> None:
        if status.rounds >= 20:
            interrupted.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)

    result = train(
        PARAMS,
        str(parquet),
        "label",
        features=[f"x{i}" for i in range(6)],
        num_boost_round=1000,
        callbacks=[Stuck()],
        progress=interrupt,
    )
    assert len(interrupted) == 2
    assert time.monotonic() - interrupted[1] < 30
    assert result.state == "stopped"
    assert 1 <= result.booster.num_boosted_rounds() <= 21


def test_no_worker_stays_when_the_display_of_the_progress_fails(parquet: Path) -> None:
    # That nothing stays is looked for after each test.
    def broken(status: Status) -> None:
        if status.rounds:
            raise RuntimeError("no display")

    with pytest.raises(RuntimeError, match="no display"):
        train(
            PARAMS,
            str(parquet),
            "label",
            features=[f"x{i}" for i in range(6)],
            num_boost_round=100_000,
            progress=broken,
        )


def test_a_slow_store_for_checkpoints_is_not_taken_for_frozen_workers(
    parquet: Path, tmp_path: Path
) -> None:
    run = begin(
        parquet,
        workers=3,
        heartbeat_timeout=3.0,
        checkpoint_path=str(tmp_path / "model"),
        checkpoint_every=8,
    )
    record, slept = run._controller.record, list[bool]()
    save = record._save_checkpoint
    assert save is not None

    def slowly(state: Any) -> None:
        if not slept:
            slept.append(True)
            time.sleep(7)
        save(state)

    record._save_checkpoint = slowly
    result = run.wait(120)
    assert slept
    assert any(e.kind == "checkpoint" for e in result.events)
    assert result.failures == []


def test_survivors_are_not_taken_for_frozen_while_the_driver_was_busy(
    parquet: Path, undisturbed: Undisturbed
) -> None:
    run = begin(parquet, workers=3)
    workers, record = run._controller.workers, run._controller.record
    tend, slept = workers.tend, []

    def busy(work: Any, timeout: float = 0.1) -> list[Any]:
        if record.phase is not Phase.RECOVERING or slept:
            return tend(work, timeout)
        # As with a slow store for checkpoints, after the look at what is done.
        slept.append(True)
        time.sleep(SURVIVOR_SECONDS + 1)
        return []

    workers.tend = busy  # type: ignore[method-assign]
    at_round(run, 10)
    os.kill(pids(run)[-1], signal.SIGKILL)
    result = run.wait(120)
    same_as(result, undisturbed(3))
    assert slept
    assert [e.kind for e in result.failures] == ["lost"]


def test_members_that_never_meet_are_not_tried_for_ever(
    parquet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where a firewall stands between the workers.
    meet = Rounds._meet

    def nowhere(self: Rounds, members: Any) -> Any:
        met = meet(self, members)
        for rank in (one for own in met.values() for one in own):
            rank.tracker["dmlc_tracker_port"] = 1
        return met

    monkeypatch.setattr(Rounds, "_meet", nowhere)
    run = begin(parquet, workers=2, cuts="full", max_failures=1)
    with pytest.raises(TrainingError, match="max_failures=1"):
        run.wait(120)


def test_a_survivor_may_be_in_a_function_of_the_user_for_long(
    parquet: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    class Long(xgb.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            import time

            if epoch == 10:
                (tmp_path / str(os.getpid())).touch()
                time.sleep(3 * SURVIVOR_SECONDS)
            return False

    run = begin(parquet, workers=2, callbacks=[Long()])
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2, run=run)
    victim, survivor = pids(run)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: bool(recovered(run)), run=run)
    assert survivor in pids(run)
    assert recovered(run)[0].detail["survivors_back_ms"] > 1000 * SURVIVOR_SECONDS
    result = run.wait(120)
    same_as(result, undisturbed(2))
    assert [e.kind for e in result.failures] == ["lost"]


def test_a_replacement_of_no_use_is_not_tried_for_ever(
    parquet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    kept: list[Rounds] = []
    prepare = Rounds.prepare

    def keeping(self: Rounds, members: Any) -> bool:
        kept[:] = [self]
        return prepare(self, members)

    monkeypatch.setattr(Rounds, "prepare", keeping)
    run = begin(parquet, workers=2, max_failures=2, num_boost_round=100_000)
    at_round(run, 5)
    os.kill(pids(run)[1], signal.SIGKILL)
    # The survivor has what it needs; there is no more data for all who come after.
    wait_until(lambda: sum(e.kind == "prepared" for e in run.events) == 2, run=run)
    nothing = ray.put(None)
    shards = kept[0]._shards
    kept[0]._shards = {k: [replace(s, ref=nothing) for s in x] for k, x in shards.items()}
    with pytest.raises(TrainingError, match=r"max_failures=2.*its matrix cannot be built"):
        run.wait(120)
    assert run.result is not None
    assert run.result.rounds > 5
