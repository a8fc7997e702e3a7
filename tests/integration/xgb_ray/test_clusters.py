"""`--cluster auto` and addresses: a real cluster that somebody else started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers.ray_head import TOKEN, RayHead, ray_head

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for a cluster in this process: here it is outside."""


def run(code: str, **environment: str) -> str:
    """What a process of its own prints; its working folder has nothing of the project."""
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd="/",
        env={**os.environ, **TOKEN, **environment},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


TRAIN = """
import json
from gateway_ext.xgb_ray import predict, train
result = train({{"objective": "binary:logistic"}}, {data!r}, "label", num_boost_round=5,
               features=["x0", "x1"], cluster={cluster!r})
predicted = predict(result, {data!r}, cluster={cluster!r})
import ray
alive = [n["Alive"] for n in ray.nodes()]
print(json.dumps([result.state, result.rounds, len(predicted), alive]))
"""
ERROR = """
from gateway_ext.xgb_ray.ray_cluster.connect import connect
from gateway_ext.xgb_ray.errors import ClusterError
{before}
try:
    connect({cluster!r})
except ClusterError as error:
    print(error)
"""


def test_the_cluster_that_runs_here_and_a_client_from_outside(head: RayHead, parquet: Path) -> None:
    where: dict[str, dict[str, Any]] = {"auto": {"RAY_ADDRESS": head.address}, head.client: {}}
    for cluster, environment in where.items():
        out = run(TRAIN.format(data=str(parquet), cluster=cluster), **environment)
        assert json.loads(out.splitlines()[-1]) == ["finished", 5, 12_000, [True]]
    # It was used twice and is there still.
    assert psutil.pid_exists(head.process.pid)


TUNE = """
import contextlib, json, time
import psutil
from gateway_ext.xgb_ray.tuning.space import read_space
from gateway_ext.xgb_ray.tuning.tune import start_tuning
space = read_space({{"objective": "binary:logistic", "eval_metric": "logloss",
                     "eta": "uniform(0.01, 0.5)"}})
given = {{"data": {data!r}, "evals": {{"test": {data!r}}}, "features": ["x0", "x1"],
          "workers": 1, "trials": 2, "scheduler": "none", "cluster": {cluster!r}}}
def drivers():
    lines = []
    for process in psutil.Process({pid}).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            lines.append(" ".join(process.cmdline()))
    return sum("ray::_Driver" in line for line in lines)
try:
    start_tuning(space, label="lable", **given)
except ValueError as error:
    print(error)
run = start_tuning(space, label="label", num_boost_round=100_000, **given)
while not any(trial["value"] for trial in run.status().trials):
    run.pause(0.2)
print(drivers(), run.events)
run.stop()
found = run.wait(60)
while drivers():
    time.sleep(0.1)
print(json.dumps([found.state, 0 < found.booster.num_boosted_rounds() < 100_000]))
"""


def test_a_search_from_outside(head: RayHead, parquet: Path) -> None:
    code = TUNE.format(data=str(parquet), cluster=head.client, pid=head.process.pid)
    wrong, events, found = run(code).splitlines()[-3:]
    assert "has no column 'lable'; did you mean 'label'?" in wrong
    assert events.startswith('1 ["running: round ')
    assert json.loads(found) == ["stopped", True]


FIRST_SERVER_DIES = """
import os, sys
if "--mode=specific-server" in sys.orig_argv:
    try:
        os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    else:
        os._exit(1)
"""


@pytest.mark.long
def test_a_head_that_fails_to_start_the_server_of_a_client(tmp_path: Path) -> None:
    marker = tmp_path / "died"
    (tmp_path / "sitecustomize.py").write_text(FIRST_SERVER_DIES.format(marker=str(marker)))
    faults = {"PYTHONPATH": str(tmp_path), "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "10"}
    with ray_head(tmp_path / "head.log", environment=faults) as head:
        assert run(ERROR.format(before="", cluster=head.client)) == ""
    assert marker.exists()


@pytest.mark.parametrize("module", ["ray", "xgboost"])
def test_other_versions(head: RayHead, module: str) -> None:
    before = f"import {module}; {module}.__version__ = '1.2.3'"
    code = ERROR.format(before=before, cluster=head.client if module == "ray" else "auto")
    said = run(code, RAY_ADDRESS="" if module == "ray" else head.address)
    assert "1.2.3" in said
    assert "nstall the" in said


@pytest.mark.long
def test_nobody_there() -> None:
    said = run(ERROR.format(before="", cluster="ray://127.0.0.1:9"))
    assert "no Ray cluster answers at 'ray://127.0.0.1:9'" in said


@pytest.mark.long
def test_no_token(head: RayHead) -> None:
    code = ERROR.format(before="", cluster=head.address)
    said = run(code, RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN="")
    assert "RAY_AUTH_TOKEN" in said


def test_another_one_than_the_kernel_has() -> None:
    before = "connect('local', local_cpus=1)"
    said = run(ERROR.format(before=before, cluster="ray://elsewhere:1"))
    assert "is connected to the Ray cluster 'local'" in said
    assert "ray.shutdown()" in said
    assert "use %xgb_ray with --cluster rayjob" in run(ERROR.format(before="", cluster="rayjob"))
