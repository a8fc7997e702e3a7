"""Fifty trainings with random faults, run by `make chaos`.

Each is a test of its own with a seed of its own: `-k "soak and [17]"` makes one again, `--stepwise`
goes on where a run ended, and `XGB_SOAK_SEED` makes fifty others.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gateway_ext.xgb_ray import Run, TrainResult, start_training
from tests.integration.xgb_ray.object_store import objects_in_store
from tests.integration.xgb_ray.rounds import unhurried

SEED = int(os.environ.get("XGB_SOAK_SEED", "1"))
TRAININGS = 50
PARAMS = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"], "max_depth": 4}
ROUNDS = 25
# Relative, of each metric of each round. Sums are made of the same parts in the same order.
TOLERANCE = 1e-6


def begin(parquet: Path, **options: Any) -> Run:
    given: dict[str, Any] = {
        "num_boost_round": ROUNDS,
        "evals": {"train": str(parquet)},
        "features": [f"x{i}" for i in range(6)],
        "callbacks": [unhurried(0.03)],
        **options,
    }
    return start_training(PARAMS, str(parquet), "label", **given)


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, parquet: Path) -> Callable[[int], TrainResult]:
    @functools.cache
    def result(workers: int) -> TrainResult:
        return begin(parquet, workers=workers, callbacks=None).wait(300)

    return result


@dataclass
class Faults:
    """What is done to one training, and to which processes."""

    run: Run
    chance: random.Random
    told: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def workers(self) -> list[int]:
        found = [s.pid for s in self.run._controller.workers.ready]
        self.seen.update(found)
        return found

    def kill_a_loader(self) -> None:
        """One of the tasks that decode the data, if the moment is met."""
        deadline = time.monotonic() + 60
        while not self.run.done and time.monotonic() < deadline:
            loaders = [
                p.pid
                for p in psutil.Process().children(recursive=True)
                if _title(p).startswith("ray::_run")
            ]
            if loaders:
                self._send(signal.SIGKILL, self.chance.choice(loaders), "loader")
                return
            if self.run.status().rounds:
                return
            time.sleep(0.01)

    def hit_a_worker(self) -> None:
        """At any time from the start on: while workers come up, load, prepare, and train."""
        when = self.chance.randint(-1, ROUNDS - 5)
        how = self.chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
        deadline = time.monotonic() + 120
        while not self.run.done and time.monotonic() < deadline:
            living = self.workers()
            if living and self.run.status().rounds >= when:
                self._send(how, self.chance.choice(living), "worker")
                return
            time.sleep(0.002)

    def _send(self, how: signal.Signals, pid: int, what: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
            self.told.append(f"{how.name} to a {what} at {self.run.status().rounds}")


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("trial", range(TRAININGS))
def test_soak(parquet: Path, undisturbed: Callable[[int], TrainResult], trial: int) -> None:
    chance = random.Random(SEED * 1000 + trial)
    workers = chance.randint(2, 4)
    expected = undisturbed(workers)
    before = objects_in_store()
    elastic = chance.random() < 0.5
    run = begin(parquet, workers=workers, elastic=elastic, max_failures=12, heartbeat_timeout=6.0)
    faults = Faults(run, chance)
    if chance.random() < 0.3:
        faults.kill_a_loader()
    for _ in range(chance.randint(0, 3)):
        faults.hit_a_worker()
    result = run.wait(400)
    about = f"{workers} workers, {'elastic' if elastic else 'waiting'}: {faults.told}"
    print(about, f"{result.timings['total']:.1f} s", flush=True)
    assert result.state == "finished", about
    assert result.rounds == result.booster.num_boosted_rounds() == ROUNDS, about
    for metric, values in expected.evals_result["train"].items():
        found = result.evals_result["train"][metric]
        np.testing.assert_allclose(found, values, rtol=TOLERANCE, err_msg=f"{metric} {about}")
    del run, result, faults.run
    deadline = time.monotonic() + 30
    # Actors and placement groups are looked for after every test of this folder.
    while left := [p for p in faults.seen if psutil.pid_exists(p)]:
        assert time.monotonic() < deadline, f"processes {left} are left: {about}"
        time.sleep(0.1)
    while objects_in_store() > before:
        assert time.monotonic() < deadline, f"objects are left: {about}"
        time.sleep(0.5)
