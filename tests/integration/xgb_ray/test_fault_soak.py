"""Fifty trainings with random faults. Longer than the other tests: run by `make chaos`."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.xgb_ray import start_training

PARAMS = {"objective": "binary:logistic", "eval_metric": "logloss", "max_depth": 4}
ROUNDS = 25
# Losses of float sums in another order; with the same bins nothing else differs.
TOLERANCE = 2e-5


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_fifty_trainings_with_random_faults(parquet: Path) -> None:
    options: dict[str, Any] = {
        "num_boost_round": ROUNDS,
        "evals": {"train": str(parquet)},
        "features": [f"x{i}" for i in range(6)],
        "max_failures": 8,
        "heartbeat_timeout": 10.0,
    }
    good = start_training(PARAMS, str(parquet), "label", workers=3, **options).wait(300)
    expected = good.evals_result["train"]["logloss"][-1]
    trials = int(os.environ.get("XGB_SOAK_TRAININGS", "50"))
    seed = int(os.environ.get("XGB_SOAK_SEED", "1"))
    for trial in range(trials):
        chance = random.Random(seed * 1000 + trial)
        workers = chance.randint(2, 4)
        run = start_training(
            PARAMS,
            str(parquet),
            "label",
            workers=workers,
            elastic=chance.random() < 0.5,
            cuts="sample",
            **options,
        )
        told: list[str] = []
        for _ in range(chance.randint(0, 3)):
            # From the start on: while workers come up, load, prepare, and train.
            when = chance.randint(-1, ROUNDS - 5)
            deadline = time.monotonic() + 120
            while not run.done and time.monotonic() < deadline:
                living = [s.pid for s in run._controller.crew.slots if s.state == "ready"]
                if living and run._controller.record.rounds >= when:
                    victim = chance.choice(living)
                    how = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
                    try:
                        os.kill(victim, how)
                        told.append(f"{how.name} at {run._controller.record.rounds}")
                    except ProcessLookupError:
                        pass
                    break
                time.sleep(0.002)
        result = run.wait(300)
        about = f"trial {trial} of seed {seed}: {workers} workers, {told}"
        assert result.state == "finished", about
        assert result.rounds == result.booster.num_boosted_rounds() == ROUNDS, about
        found = result.evals_result["train"]["logloss"][-1]
        assert found == pytest.approx(expected, rel=TOLERANCE), about
        print(about, f"{result.timings['total']:.1f} s", flush=True)
