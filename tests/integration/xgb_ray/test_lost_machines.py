"""Nodes and drivers that are killed: real clusters of several nodes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ray.cluster_utils import Cluster

ROOT = Path(__file__).parents[3]
PARAMS = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"], "max_depth": 4}
ROUNDS = 40


class Driver:
    """A training in a process of its own, which can be killed."""

    def __init__(self, data: Path, cluster: str | None, slow: float = 0.05, **options: Any) -> None:
        given = {
            "params": PARAMS,
            "data": str(data),
            "slow": slow,
            "options": {
                "num_boost_round": ROUNDS,
                "evals": {"train": str(data)},
                "features": [f"x{i}" for i in range(6)],
                "heartbeat_timeout": 30.0,
                "cluster": cluster,
                **options,
            },
        }
        program = [sys.executable, "-m", "tests.integration.xgb_ray.driver", json.dumps(given)]
        self.process = subprocess.Popen(
            program,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.last: dict[str, Any] = {"rounds": 0, "pids": [], "waiting": False}

    def read(self) -> bool:
        """Take in the next line; whether there was one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.last = json.loads(line)
                return True
        return False

    def until(self, wanted: str, least: int = 1) -> None:
        while not int(self.last.get(wanted, 0)) >= least:
            assert self.read(), self.last
            assert "state" not in self.last, self.last

    def result(self) -> dict[str, Any]:
        while self.read():
            pass
        assert "state" in self.last, self.last
        self.process.wait(30)
        return self.last


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head without room for workers and two nodes with two CPUs each."""
    os.environ["PYTHONPATH"] = str(ROOT)
    options = {"object_store_memory": 150_000_000}
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, **options},
    )
    for _ in range(2):
        made.add_node(num_cpus=2, **options)
    yield made
    made.shutdown()
    del os.environ["PYTHONPATH"]


def kill_node(cluster: Cluster) -> None:
    """SIGKILL to the raylet of one of the nodes and to all of its workers."""
    node = next(iter(cluster.worker_nodes))
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    victims = [*raylet.children(recursive=True), raylet]
    for process in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def same(result: dict[str, Any], expected: dict[str, Any]) -> None:
    assert result["state"] == "finished", result
    assert result["rounds"] == ROUNDS
    for metric, values in expected["history"]["train"].items():
        np.testing.assert_allclose(result["history"]["train"][metric], values, rtol=1e-6)


@pytest.fixture(scope="module")
def undisturbed(parquet: Path) -> dict[str, Any]:
    return Driver(parquet, "local", slow=0, workers=4).result()


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("elastic", [True, False])
def test_a_node_is_lost(
    cluster: Cluster, parquet: Path, undisturbed: dict[str, Any], elastic: bool
) -> None:
    driver = Driver(parquet, cluster.address, workers=4, max_failures=-1, elastic=elastic)
    driver.until("rounds", 10)
    kill_node(cluster)
    if not elastic:
        # Nothing goes on before another node comes, as an autoscaler would bring it.
        driver.until("waiting")
        cluster.add_node(num_cpus=2, object_store_memory=150_000_000)
    result = driver.result()
    same(result, undisturbed)
    kinds = [kind for kind, _, _ in result["events"]]
    assert kinds.count("lost") >= 2
    recovered = [detail for kind, _, detail in result["events"] if kind == "recovered"]
    assert recovered[0]["rounds_lost"] == 0
    if not elastic:
        assert kinds.count("replaced") >= 2


def end_of(pids: list[int], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while left := [p for p in pids if psutil.pid_exists(p)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_killed_driver_takes_its_workers_along_and_another_goes_on(
    cluster: Cluster, parquet: Path, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    path = str(tmp_path / "checkpoint.ubj")
    kept = {"checkpoint_path": path, "checkpoint_every": 5, "workers": 4}
    first = Driver(parquet, cluster.address, **kept)
    first.until("rounds", 20)
    pids = first.last["pids"]
    assert len(pids) == 4
    first.process.kill()
    first.process.wait()
    end_of(pids)
    second = Driver(parquet, cluster.address, slow=0, resume=True, **kept)
    result = second.result()
    same(result, undisturbed)
    assert result["events"][0][1] >= 10, "it began anew"


@pytest.mark.long
def test_a_killed_kernel_leaves_no_worker_of_its_own_cluster(parquet: Path) -> None:
    driver = Driver(parquet, "local", workers=2, num_boost_round=10_000)
    driver.until("rounds", 3)
    pids = driver.last["pids"]
    # Frozen ones too, which cannot end by themselves.
    os.kill(pids[0], signal.SIGSTOP)
    driver.process.kill()
    driver.process.wait()
    end_of(pids)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_two_trainings_on_a_cluster_with_room_for_one(
    cluster: Cluster, parquet: Path, undisturbed: dict[str, Any]
) -> None:
    both = [Driver(parquet, cluster.address, slow=0.02, workers=4) for _ in range(2)]
    for driver in both:
        same(driver.result(), undisturbed)


@pytest.mark.long
def test_no_room_is_said(cluster: Cluster, parquet: Path) -> None:
    first = Driver(parquet, cluster.address, workers=3, num_boost_round=10_000)
    first.until("rounds", 1)
    second = Driver(parquet, cluster.address, workers=3, start_timeout=3.0)
    result = second.result()
    assert (
        "no room for 3 workers with 1 CPU each within 3 s: 1 of 4 CPUs are free" in result["error"]
    )
    # The one that was there did not notice.
    rounds = first.last["rounds"]
    first.until("rounds", rounds + 5)
    first.process.kill()
    first.process.wait()
