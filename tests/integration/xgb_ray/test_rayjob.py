"""`--cluster rayjob` from a real kernel, the whole way: the Kubernetes API is scripted (see
`kuberay`), what runs in a job is its real entry point on a real Ray cluster."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.fs as pafs
import pytest

from gateway_ext.xgb_ray.errors import ClusterError, DataError, ParameterError
from gateway_ext.xgb_ray.rayjob.client import attach, start
from gateway_ext.xgb_ray.rayjob.job_run import JobRun
from gateway_ext.xgb_ray.rayjob.manifests import RayJobOptions
from gateway_ext.xgb_ray.rayjob.ray_jobs import RayJobs
from tests.integration.xgb_ray.conftest import LOGIN, Uri
from tests.integration.xgb_ray.kuberay import KubeRay, kuberay, make_pod
from tests.integration.xgb_ray.notebook_kernel import (
    NotebookKernel,
    errors_of,
    notebook_kernel,
    text_of,
)
from tests.servers.ray_head import RayHead

OPTIONS = {"image": "registry.example/kernel:1", "ray_version": "2.60.0", "namespace": "ml"}


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for a cluster in this process: here it is outside."""


@pytest.fixture(scope="module")
def cluster(head: RayHead, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeRay]:
    with kuberay(tmp_path_factory.mktemp("kuberay"), head.address) as kube:
        yield kube


@pytest.fixture(scope="module")
def kernel(cluster: KubeRay) -> Iterator[NotebookKernel]:
    environment = {**os.environ, "KUBECONFIG": str(cluster.folder / "kubeconfig")}
    with notebook_kernel(environment) as kernel:
        load(kernel, cluster)
        yield kernel


def load(kernel: NotebookKernel, cluster: KubeRay) -> None:
    settings = {
        "image": "registry.example/kernel:1",
        "namespace": "ml",
        "storage": str(cluster.folder / "storage"),
    }
    found = kernel.run(f"%load_ext gateway_ext.xgb_ray\n%config XGBRayMagics.rayjob = {settings}")
    assert not errors_of(found)


def test_a_training(kernel: NotebookKernel, cluster: KubeRay, parquet: Path) -> None:
    output = kernel.run(
        f"%%xgb_ray train -d {parquet} -l label -e train={parquet} -n 20 --workers 2 "
        "--cluster rayjob --job memory=1Gi --job scheduler=volcano --job queue=research "
        "--job name=first --out model\n"
        "objective: binary:logistic\neval_metric: auc\n"
    )
    assert not errors_of(output), text_of(output)
    words = [o["data"]["text/plain"] for o in output if "data" in o]
    assert any("rayjob first: " in w for w in words)
    assert "finished: round 20/20" in words[-2]
    assert "finished after 20 rounds" in words[-1]
    shown = kernel.text(
        "print(model.booster.num_boosted_rounds(), len(model.evals_result['train']['auc']), "
        "[e.kind for e in model.events][-1], model.booster.feature_names[0], model.facts)"
    )
    assert "20 20 finished x0" in shown
    assert "'rows': 12000" in shown
    # It is cleaned up, and its log is there all the same.
    assert cluster.deleted == ["first"]
    assert not cluster.jobs
    assert not cluster.config_maps
    logs = kernel.text("%xgb_ray logs first")
    assert "finished: round 20/20" in logs
    assert "loaded: rows 12000" in logs


def test_what_is_submitted(cluster: KubeRay, parquet: Path, tmp_path: Path) -> None:
    made: list[dict[str, Any]] = []
    keep, cluster.make = cluster.make, lambda job: (made.append(job), keep(job))[1]  # type: ignore[method-assign]
    options = RayJobOptions(
        name="sent", workers=3, cpus=2, scheduler="kueue", queue="team", **OPTIONS
    )
    try:
        run = start(
            "train",
            {"params": {}, "data": str(parquet), "label": "lable"},
            options,
            str(tmp_path),
            jobs=jobs_of(cluster),
            poll_seconds=0.1,
        )
        with pytest.raises(DataError, match="has no column 'lable'; did you mean 'label'"):
            run.wait(100)
    finally:
        cluster.make = keep  # type: ignore[method-assign]
    job = made[0]
    assert job["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team"}
    assert job["metadata"]["annotations"]["jupyter-fleet/xgb-ray-command"] == "train"
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["minReplicas"] == workers["maxReplicas"] == 3
    # A job that failed stays to be looked at; KubeRay ends its cluster.
    assert "sent" in cluster.jobs
    assert job["spec"]["shutdownAfterJobFinishes"] is True
    jobs_of(cluster).delete("sent", cluster.jobs["sent"]["metadata"]["uid"])


@pytest.fixture
def run_in_bucket(
    cluster: KubeRay, uri: Uri, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """The result of a command, with a name, whose job has its folder in a bucket."""
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)

    def run(command: str, name: str, **arguments: Any) -> Any:
        options = RayJobOptions(name=name, env=LOGIN, workers=1, cpus=1, **OPTIONS)
        storage, jobs = uri("jobs", login=False), jobs_of(cluster)
        return start(command, arguments, options, storage, jobs=jobs, poll_seconds=0.1).wait()

    return run


def test_a_training_in_a_bucket(
    cluster: KubeRay, uri: Uri, frame: pd.DataFrame, run_in_bucket: Callable[..., Any]
) -> None:
    given = {"params": {}, "label": "label", "num_boost_round": 3}
    model = run_in_bucket("train", "kept", data=frame, **given)
    assert model.booster.num_boosted_rounds() == 3
    # The job is gone, and is found by its folder.
    again = attach("kept", "ml", storage=uri("jobs", login=False), jobs=jobs_of(cluster))
    assert again.wait(20).booster.save_raw() == model.booster.save_raw()
    assert "finished: round 3/3" in "\n".join(again.events)
    with pytest.raises(ParameterError, match="a URI with a login in it would be visible"):
        run_in_bucket("train", "shown", data=uri("data"), **given)
    assert "shown" not in cluster.jobs


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_search_and_predictions_in_a_bucket(
    uri: Uri, frame: pd.DataFrame, run_in_bucket: Callable[..., Any]
) -> None:
    data = uri("data", login=False)
    found = run_in_bucket(
        "tune",
        "searched",
        space={"eta": "uniform(0.1, 0.5)", "eval_metric": "rmse"},
        data=data,
        label="label",
        evals={"test": data},
        num_boost_round=4,
        trials=2,
    )
    assert found.booster.num_boosted_rounds() == 4
    files = run_in_bucket("predict", "predicted", model=found.booster, data=data, keep=["label"])
    store, inner = pafs.FileSystem.from_uri(uri("jobs/predicted/predictions"))
    assert {file.rsplit("/", 1)[0] for file in files} == {inner}
    assert len(pd.read_parquet(inner, filesystem=store)) == len(frame)


def jobs_of(cluster: KubeRay) -> RayJobs:
    from kubernetes import client

    configuration = client.Configuration(host=cluster.url)
    configuration.retries = 0
    api = client.ApiClient(configuration)
    return RayJobs("ml", client.CustomObjectsApi(api), client.CoreV1Api(api))


def test_it_goes_on_while_the_kernel_restarts(
    kernel: NotebookKernel, cluster: KubeRay, parquet: Path
) -> None:
    said = kernel.text(
        f"%xgb_ray train -d {parquet} -l label -n 100000 -p max_depth=2 --cluster rayjob "
        "--background --out slow"
    )
    (name,) = re.findall(r"status, logs or stop (xgb-slow-[0-9a-f]{6})", said)
    kernel.restart()
    load(kernel, cluster)
    deadline = time.monotonic() + 90
    while not re.search(r"running  training: round [1-9]", kernel.text(f"%xgb_ray status {name}")):
        assert time.monotonic() < deadline, kernel.text(f"%xgb_ray logs {name}")
        time.sleep(0.5)
    assert "training: round" in kernel.text(f"%xgb_ray logs {name}")
    said = kernel.text(f"%xgb_ray stop {name}")
    assert "stopped after round" in said, said
    attached = kernel.run(
        f"%xgb_ray attach {name} --out again\nprint(again.state, again.rounds > 0, "
        "again.booster.num_boosted_rounds() == again.rounds)"
    )
    assert "stopped True True" in text_of(attached), text_of(attached)
    assert name in cluster.deleted


@pytest.mark.long
@pytest.mark.timeout(400)
def test_an_interrupt_keeps_the_model(
    kernel: NotebookKernel, cluster: KubeRay, parquet: Path
) -> None:
    output = kernel.run(
        f"%xgb_ray train -d {parquet} -l label -n 100000 -p max_depth=2 --cluster rayjob --out cut",
        interrupt="training: round",
    )
    assert "stopped after round" in text_of(output), text_of(output)
    assert errors_of(output), "cells in the queue behind it must not run"
    assert "True" in kernel.text("print(cut.booster.num_boosted_rounds() == cut.rounds > 0)")
    assert not cluster.jobs


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_frame_a_search_predictions_and_a_calibration(
    kernel: NotebookKernel, cluster: KubeRay, parquet: Path, tmp_path: Path
) -> None:
    kernel.run(f"import pandas as pd; frame = pd.read_parquet('{parquet}')")
    output = kernel.run(
        "%%xgb_ray tune -d $frame -l label -e test=$frame -n 10 --trials 3 --concurrent 2 "
        "--workers 1 --cluster rayjob --report-every 2 --out tuned\n"
        "objective: binary:logistic\neval_metric: logloss\neta: uniform(0.01, 0.5)\n"
    )
    assert not errors_of(output), text_of(output)
    shown = kernel.text("print(len(tuned.trials), tuned.booster.num_boosted_rounds(), tuned)")
    assert "3 10 TuneResult(test-logloss 0." in shown
    to = tmp_path / "p"
    output = kernel.run(
        f"%xgb_ray predict -m $tuned -d {parquet} --to {to} --keep label --cluster rayjob"
    )
    assert "files in" in text_of(output), text_of(output)
    written = pd.read_parquet(to)
    assert len(written) == 12_000
    output = kernel.run(f"%xgb_ray calibrate -d {to} -l label --cluster rayjob --out c")
    assert "Calibration(" in text_of(output), text_of(output)
    assert "True" in kernel.text("print(0 <= c.apply([0.5])[0] <= 1)")
    assert not cluster.jobs


@pytest.fixture
def script(tmp_path: Path) -> Iterator[KubeRay]:
    """A server whose jobs do not run."""
    with kuberay(tmp_path / "kube") as kube:
        yield kube


def submit(kube: KubeRay, name: str = "job", **more: Any) -> JobRun:
    return start(
        "train",
        {"params": {}, "data": "s3://bucket/data", "label": "y", **more},
        RayJobOptions(name=name, **OPTIONS),
        str(kube.folder / "storage"),
        jobs=jobs_of(kube),
        poll_seconds=0.05,
    )


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (
            ("POST", "rayjobs", 403, 'User "ada" cannot create resource "rayjobs"'),
            'User "ada" cannot create.*Ask for a role that may create, get and delete rayjobs',
        ),
        (("GET", "rayjobs", 404, "404 page not found\n"), "Have the KubeRay operator installed"),
        (("GET", "rayjobs", 401, "Unauthorized"), "log in to Kubernetes again"),
        (("POST", "rayjobs", 422, "spec.rayVersion is bad"), "cannot be made: spec.rayVersion"),
        (("POST", "rayjobs", 503, "etcd is away"), "answers 503: etcd is away"),
        (("POST", "configmaps", 403, "no configmaps for ada"), "no configmaps for ada"),
    ],
)
def test_refusals_name_the_mend(
    script: KubeRay, refusal: tuple[str, str, int, str], words: str
) -> None:
    script.refusals.append(refusal)
    with pytest.raises(ClusterError, match=words):
        submit(script)
    assert not script.jobs


def test_a_name_that_is_taken(script: KubeRay) -> None:
    script.waits = {}
    run = submit(script)
    with pytest.raises(ClusterError, match=r"there is a job job already.*attach job"):
        submit(script)
    run.stop()
    with pytest.raises(ClusterError, match="was stopped before it left a result"):
        run.wait(20)
    assert script.deleted == ["job"]


def test_an_image_that_cannot_be_pulled(script: KubeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_ext.xgb_ray.rayjob.job_run._TROUBLE_SECONDS", 0.3)
    said = 'rpc error: code = NotFound desc = failed to pull image "registry.example/kernel:1"'
    script.pods = [make_pod("job-head", waiting=("ImagePullBackOff", said))]
    run = submit(script)
    with pytest.raises(ClusterError, match=r"cannot start: ImagePullBackOff.*check image="):
        run.wait(20)
    assert script.deleted == ["job"]


def test_no_room_and_a_queue_are_shown_and_waited_for(script: KubeRay) -> None:
    script.pods = [make_pod("job-w-1", unschedulable="0/3 nodes are available: 3 Insufficient cpu")]
    run = submit(script)
    wait_for(lambda: "0/3 nodes are available" in str(run.status()))
    script.pods = []
    script.jobs["job"]["status"] = {"jobDeploymentStatus": "Suspended"}
    script.jobs["job"]["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    wait_for(lambda: "waits in the queue team" in str(run.status()))
    # An API server that is away for a while says nothing about the job.
    script.refusals.append(("GET", "rayjobs", 503, "etcd is away"))
    wait_for(lambda: "unknown" in str(run.status()))
    assert not run.done
    script.refusals.clear()
    wait_for(lambda: "waits in the queue team" in str(run.status()))
    run.stop_now()
    with pytest.raises(ClusterError, match="was stopped"):
        run.wait(20)


def test_progress_that_was_replaced_while_it_was_read(script: KubeRay) -> None:
    script.waits = {}
    run = submit(script)
    run.folder.write("progress.json", b'{"rounds": 1}"}')
    wait_for(lambda: "pods are starting" in str(run.status()))
    run.pause(0.5)
    assert not run.done
    run.stop()
    with pytest.raises(ClusterError, match="was stopped"):
        run.wait(20)


def test_a_job_that_dies_without_a_word(script: KubeRay) -> None:
    script.waits = {}
    run = submit(script)
    script.log_of("job").write_text("Traceback …\nModuleNotFoundError: No module named 'xgboost'\n")

    class Ended:
        def poll(self) -> int:
            return 1

        def kill(self) -> None:
            """It is dead."""

    script.processes["job"] = Ended()  # type: ignore[assignment]
    script.jobs["job"]["status"] = {
        "jobDeploymentStatus": "Failed",
        "jobStatus": "FAILED",
        "reason": "AppFailed",
        "message": "exit code 1",
    }
    with pytest.raises(ClusterError, match=r"it exited with an error: exit code 1[\s\S]*xgboost"):
        run.wait(20)
    jobs_of(script).delete("job", script.jobs["job"]["metadata"]["uid"])
    # Its words are there when its pods are gone.
    kept = script.folder / "storage" / "job" / "pods.log"
    assert "No module named 'xgboost'" in kept.read_text()


def test_somebody_removes_the_job(script: KubeRay) -> None:
    script.waits = {}
    run = submit(script)
    wait_for(lambda: "pods are starting" in str(run.status()))
    script.delete("job")
    with pytest.raises(ClusterError, match="was removed before it left a result"):
        run.wait(20)


def test_another_job_that_has_the_name_since_stays(script: KubeRay) -> None:
    script.waits = {}
    run = submit(script)
    wait_for(lambda: "pods are starting" in str(run.status()))
    # Removed and made again by somebody else, between two looks.
    theirs = {**script.jobs["job"], "metadata": {"name": "job", "uid": "theirs"}}
    script.jobs["job"] = theirs
    run.stop_now()
    with pytest.raises(ClusterError, match="before it left a result"):
        run.wait(20)
    jobs_of(script).delete("job", "ours")
    assert script.jobs == {"job": theirs}
    assert not script.deleted


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a,b"])
def test_a_name_that_would_be_all_jobs_is_refused(script: KubeRay, name: str) -> None:
    script.waits = {}
    submit(script)
    jobs = jobs_of(script)
    for call in (
        lambda: jobs.read(name),
        lambda: jobs.pods(name, ""),
        lambda: jobs.delete(name, "uid"),
        lambda: attach(name, "ml", storage=str(script.folder), jobs=jobs),
        lambda: RayJobs(name, jobs._api, jobs._core),
    ):
        with pytest.raises(ParameterError, match="must be lower case"):
            call()
    with pytest.raises(ParameterError, match="has no uid"):
        jobs.delete("job", "")
    assert set(script.jobs) == {"job"}


def test_what_cannot_be_sent(script: KubeRay) -> None:
    with pytest.raises(ParameterError, match=r"functions and other objects.*do not reach"):
        submit(script, obj=lambda p, d: (p, p))
    with pytest.raises(ParameterError, match="a dict of this kernel does not reach"):
        submit(script, data={})
    with pytest.raises(ParameterError, match="a URI with a login in it would be visible"):
        submit(script, evals={"test": "s3://key:secret@bucket/x"})
    with pytest.raises(ParameterError, match="needs storage="):
        start("train", {}, RayJobOptions(name="a", **OPTIONS), "", jobs=jobs_of(script))
    with pytest.raises(ClusterError, match="nothing in the namespace ml is not there"):
        attach("nothing", "ml", jobs=jobs_of(script))
    assert not script.jobs


def test_no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    with pytest.raises(ClusterError, match="set KUBECONFIG"):
        RayJobs("ml")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--job imag=a", "a rayjob has no setting 'imag'; did you mean 'image'?"),
        ("--cpus 0.5", "a worker of a rayjob has whole CPUs"),
        ("--job name=Bad_Name", "lower case letters"),
        ("--job workers=3", "give --workers"),
        ("--job storage=", "a rayjob needs storage="),
    ],
)
def test_errors_in_the_magic_are_one_clear_line(
    kernel: NotebookKernel, parquet: Path, line: str, words: str
) -> None:
    (error,) = errors_of(
        kernel.run(f"%xgb_ray train -d {parquet} -l label --cluster rayjob {line}")
    )
    assert words in error
    assert 'File "' not in error


def wait_for(true: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
