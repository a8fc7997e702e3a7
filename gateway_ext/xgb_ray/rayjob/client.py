"""A command on Kubernetes: submits a RayJob to KubeRay, follows it, fetches its result, cleans up.

What is sent is made in `manifests`; what runs there is `job`; what the two tell each other goes
through a folder in storage (`job_folder`). Kubernetes' answers are judged in `job_stage`.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.data.models import load_model
from gateway_ext.xgb_ray.data.storage import within
from gateway_ext.xgb_ray.errors import ClusterError, ParameterError
from gateway_ext.xgb_ray.rayjob.folder import COMMANDS, JobFolder
from gateway_ext.xgb_ray.rayjob.manifests import (
    COMMAND,
    FOLDER,
    RayJobOptions,
    check_name,
    check_namespace,
    make_ray_job,
    make_task_config_map,
)
from gateway_ext.xgb_ray.rayjob.stage import Stage, pod_trouble, read_stage
from gateway_ext.xgb_ray.scoring.calibration import Calibration
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.training.status import Status
from gateway_ext.xgb_ray.tuning.result import TuneStatus

_GROUP, _VERSION, _PLURAL = "ray.io", "v1", "rayjobs"
# How long a job may take to end after it was told to stop at once.
_STOP_SECONDS = 8.0
# A pod that seems unable to start is given this long, since some recover by themselves.
_TROUBLE_SECONDS = 60.0
# A name alone is none: it may be that of a container, or of who owns a folder.
_LOGIN = re.compile(r"://[^/@\s\"]*:[^/@\s\"]+@")


@dataclass(frozen=True)
class JobStatus:
    """Where a job is in `words`, and what runs in it, as soon as that says so."""

    words: str
    inside: Status | TuneStatus | None = None

    def __str__(self) -> str:
        return self.words if self.inside is None else f"{self.words}  {self.inside}"

    def _repr_html_(self) -> str:
        inner = "" if self.inside is None else self.inside._repr_html_()
        return f"<div><code>{escape(self.words)}</code>{inner}</div>"


class RayJobs:
    """The RayJobs of a namespace: Kubernetes' calls, with errors in the user's words.

    Methods raise `ClusterError` when the API server refuses, `ConnectionError` when it does not
    answer, and `ParameterError` for a name that is none: what is read, listed or removed is always
    one job's.
    """

    def __init__(self, namespace: str, api: Any = None, core: Any = None) -> None:
        """`api` and `core` are Kubernetes' CustomObjectsApi and CoreV1Api; found from the
        environment (in a pod, or a kubeconfig) unless given."""
        self.namespace = check_namespace(namespace)
        if api is None or core is None:
            api, core = _clients()
        self._api, self._core = api, core

    def submit(
        self, options: RayJobOptions, task_json: str, told: Mapping[str, str] | None = None
    ) -> str:
        """Make the RayJob and the ConfigMap with its task; returns the RayJob's uid."""
        with _words(f"the job {options.name} cannot be made"):
            made = self._api.create_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, _PLURAL, make_ray_job(options, told)
            )
        uid = str(made["metadata"]["uid"])
        config = make_task_config_map(options, task_json)
        # Owned by the job: Kubernetes removes it with the job, whoever removes that.
        config["metadata"]["ownerReferences"] = [
            {
                "apiVersion": f"{_GROUP}/{_VERSION}",
                "kind": "RayJob",
                "name": options.name,
                "uid": uid,
            }
        ]
        try:
            with _words(f"the task of the job {options.name} cannot be made"):
                self._core.create_namespaced_config_map(self.namespace, config)
        except BaseException:
            with contextlib.suppress(ClusterError, ConnectionError):
                self.delete(options.name, uid)
            raise
        return uid

    def read(self, name: str) -> dict[str, Any] | None:
        """The RayJob, or None if there is none of this name."""
        with _words(f"the job {name} cannot be read", absent_is_fine=True):
            found: dict[str, Any] = self._api.get_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, _PLURAL, check_name(name)
            )
            return found
        return None

    def pods(self, name: str, cluster: str) -> list[Any]:
        """The pods of a job: its submitter's first, then its cluster's."""
        found = []
        selectors = [f"batch.kubernetes.io/job-name={check_name(name)}"]
        if cluster:
            selectors.append(f"ray.io/cluster={cluster}")
        with _words(f"the pods of the job {name} cannot be listed"):
            for selector in selectors:
                answer = self._core.list_namespaced_pod(self.namespace, label_selector=selector)
                found += answer.items
        return found

    def log(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """Lines that the job's submitter has printed; nothing if it is not there (any more)."""
        pods = self.pods(name, "")
        if not pods:
            return
        with _words(f"the log of the job {name} cannot be read", absent_is_fine=True):
            stream = self._core.read_namespaced_pod_log(
                pods[-1].metadata.name, self.namespace, follow=follow, _preload_content=False
            )
            rest = b""
            for raw in stream:
                *lines, rest = (rest + raw).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")

    def delete(self, name: str, uid: str) -> None:
        """Remove the job of this name and uid with its cluster and task.

        One that is gone already is no error, and another one that has its name since stays.
        """
        if not uid:
            raise ParameterError(f"which job {name} is meant is not known: it has no uid")
        with _words(f"the job {name} cannot be removed", absent_is_fine=True):
            self._api.delete_namespaced_custom_object(
                _GROUP,
                _VERSION,
                self.namespace,
                _PLURAL,
                check_name(name),
                body={"propagationPolicy": "Background", "preconditions": {"uid": uid}},
            )


class JobRun(Background[Any]):
    """A job that is being followed. `wait` for its result; `stop` keeps the model so far.

    The job itself does not depend on it: it goes on when this process ends, and `attach` follows
    it again.
    """

    what = "job"

    def __init__(
        self,
        jobs: RayJobs,
        name: str,
        command: str,
        folder: JobFolder,
        *,
        uid: str,
        poll_seconds: float = 2,
    ) -> None:
        """`uid` is the RayJob's; empty for one that Kubernetes does not have any more."""
        self.name, self.command, self.folder = name, command, folder
        self._uid = uid
        self._jobs, self._poll_seconds = jobs, poll_seconds
        self._stage = Stage("queued", "submitted")
        self._inside: Status | TuneStatus | None = None
        self._asked = ""
        self._stopping = self._left = False
        self._remove_at = float("inf")
        self._woken = threading.Event()
        self._trouble_since = 0.0
        self._begin()

    def stop(self) -> None:
        """Have the job end after the round that is being computed; the model so far is kept."""
        self._ask("soon")

    def stop_now(self) -> None:
        """Have the job end at once, with the newest model that it holds."""
        self._ask("now")

    def leave(self) -> None:
        """Follow the job no longer; the job itself goes on."""
        self._left = True
        self._woken.set()

    def _ask(self, how: str) -> None:
        self._asked, self._stopping = how, True
        self._woken.set()

    @property
    def events(self) -> list[str]:
        """The job's log so far."""
        return list(self.log())

    def log(self, *, follow: bool = False) -> Iterator[str]:
        """What the job printed: from its pod, or from its folder when that is gone."""
        found = False
        with contextlib.suppress(ClusterError, ConnectionError):
            for line in self._jobs.log(self.name, follow=follow):
                found = True
                yield line
        if not found:
            kept = self.folder.read("log.txt") or self.folder.read("pods.log") or b""
            yield from kept.decode(errors="replace").splitlines()

    def status(self) -> JobStatus:
        """Where it is."""
        return JobStatus(f"rayjob {self.name}: {self._stage.words}", self._inside)

    def carry_out(self) -> None:
        """Follow the job to its end and fetch what it left."""
        while True:
            self._look()
            if self._left:
                return
            if self._stage.ended:
                break
            if self._asked:
                # Said again when the API server or the storage did not hear it.
                with contextlib.suppress(OSError):
                    self._tell()
            self._woken.wait(self._poll_seconds)
            self._woken.clear()
        self._fetch()

    def _look(self) -> None:
        """What Kubernetes and the job say of it now."""
        try:
            job = self._jobs.read(self.name)
        except ConnectionError as error:
            # Not an end: the job does not need this connection.
            self._stage = Stage(self._stage.kind, f"unknown, {error}")
            return
        if job is not None and job["metadata"]["uid"] != self._uid:
            # Another one, by somebody else.
            job = None
        stage = read_stage(job)
        if stage.kind in ("queued", "starting"):
            cluster = (job or {}).get("status", {}).get("rayClusterName", "")
            trouble = None
            # Who may not list pods is told less.
            with contextlib.suppress(ClusterError, ConnectionError):
                trouble = pod_trouble(self._jobs.pods(self.name, cluster))
            if trouble is None or not trouble.lasting:
                self._trouble_since = time.monotonic()
            elif time.monotonic() - self._trouble_since > _TROUBLE_SECONDS:
                self._keep_pods_words()
                self._jobs.delete(self.name, self._uid)
                raise ClusterError(f"the job {self.name} cannot start: {trouble.words}")
            if trouble is not None:
                stage = Stage(stage.kind, f"{stage.words}, {trouble.words}")
        self._stage = stage
        # From a bucket it is read in two steps, between which the job may have put another one.
        with contextlib.suppress(OSError, ValueError):
            self._inside = self.folder.progress()

    def _tell(self) -> None:
        """Pass a wish to stop on, or remove what has not begun or does not hear."""
        if self._stage.kind in ("queued", "starting") or time.monotonic() >= self._remove_at:
            self._jobs.delete(self.name, self._uid)
            self._stage = Stage("removed", "removed")
        elif self._asked == "now" or self.command not in ("train", "tune"):
            self.folder.ask_to_stop("now")
            self._remove_at = min(self._remove_at, time.monotonic() + _STOP_SECONDS)
        else:
            self.folder.ask_to_stop("soon")
            self._asked = ""

    def _fetch(self) -> None:
        found = self.folder.load()
        if found is None:
            if self._stage.kind == "removed":
                how = "stopped" if self._stopping else "removed"
                raise ClusterError(f"the job {self.name} was {how} before it left a result")
            last = self._keep_pods_words()
            raise ClusterError(
                f"the job {self.name} ended without a result: {self._stage.words}"
                + (f"\nThe last lines of its log:\n{last}" if last else "")
            )
        self._result, error = found
        if isinstance(self._result, TrainResult):
            self._result.facts["rayjob"] = self.name
        if self._uid and self._stage.kind != "failed":
            # A failed one stays to be looked at; its cluster goes after `keep_seconds`.
            with contextlib.suppress(ClusterError, ConnectionError):
                self._jobs.delete(self.name, self._uid)
        if error is not None:
            raise error

    def _keep_pods_words(self) -> str:
        """Keep the log of a job that could not say itself why it failed; its last lines."""
        lines: list[str] = []
        with contextlib.suppress(ClusterError, ConnectionError):
            lines = list(self._jobs.log(self.name))
        if lines:
            with contextlib.suppress(OSError):
                self.folder.write("pods.log", "\n".join(lines).encode())
        return "\n".join(lines[-10:])


def start(
    command: str,
    arguments: Mapping[str, Any],
    options: RayJobOptions,
    storage: str,
    *,
    jobs: RayJobs | None = None,
    poll_seconds: float = 2,
) -> JobRun:
    """Submit a command as a RayJob and follow it in the background.

    Args:
        command: "train", "tune", "predict" or "calibrate".
        arguments: those of the function of this name, data and label too. Data frames, Arrow
            tables, models and calibrations in this kernel's memory are put into the storage.
        options: where and how. `workers` and `cpus` are of the pods; the arguments' own are set
            to fit unless given.
        storage: a folder or URI that this kernel and all pods read and write; the job's own
            folder in it has its name.

    Raises:
        ParameterError: something cannot be sent to another machine.
        ClusterError: Kubernetes refuses the job.
        DataError: the storage cannot be used.
    """
    if command not in COMMANDS:
        raise ParameterError(f"a rayjob cannot {command!r}, only {', '.join(COMMANDS)}")
    if not storage:
        raise ParameterError(
            "a rayjob needs storage=, a folder or URI that this kernel and the pods share"
        )
    options.check()
    given = dict(arguments)
    if command != "calibrate":
        given.setdefault("workers", options.workers)
        given.setdefault("cpus_per_worker", options.cpus)
    jobs = jobs or RayJobs(options.namespace)
    folder = JobFolder(within(storage, options.name))
    refuse_logins([folder.uri, given])
    try:
        if folder.read("result.json") is not None or jobs.read(options.name) is not None:
            raise ClusterError(
                f"there is a job {options.name} already: take another name=, or look at it with "
                f"%xgb_ray attach {options.name}"
            )
        sent = _sendable(command, given, folder)
        task = json.dumps({"command": command, "folder": folder.uri, "arguments": sent})
        # Later than its task's data, earlier than the job: a task always finds what it names.
        uid = jobs.submit(options, task, {FOLDER: folder.uri, COMMAND: command})
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise ClusterError(str(error)) from error
        raise ParameterError(f"the storage {storage} cannot be used: {error}") from error
    return JobRun(jobs, options.name, command, folder, uid=uid, poll_seconds=poll_seconds)


def attach(
    name: str,
    namespace: str = "default",
    *,
    storage: str = "",
    jobs: RayJobs | None = None,
    poll_seconds: float = 2,
) -> JobRun:
    """Follow a job again that another kernel, or this one before its restart, has submitted.

    Args:
        storage: where its folder is; needed only for a job that Kubernetes does not have any more.

    Raises:
        ClusterError: there is no such job.
    """
    jobs = jobs or RayJobs(namespace)
    try:
        job = jobs.read(name)
    except ConnectionError as error:
        raise ClusterError(str(error)) from error
    told = (job or {}).get("metadata", {}).get("annotations", {})
    if FOLDER in told:
        folder, command = JobFolder(told[FOLDER]), told.get(COMMAND, "train")
    else:
        folder, command = JobFolder(within(storage, name)), "train"
        if job is not None or not storage or folder.read("result.json") is None:
            what = "was not made by %xgb_ray" if job is not None else "is not there"
            raise ClusterError(f"the job {name} in the namespace {jobs.namespace} {what}")
    uid = "" if job is None else str(job["metadata"]["uid"])
    return JobRun(jobs, name, command, folder, uid=uid, poll_seconds=poll_seconds)


def refuse_logins(values: Any) -> None:
    """Refuse texts in `values`, however deep, that are URIs with a password.

    Raises:
        ParameterError: one is.
    """

    def plain(value: Any) -> Any:
        return dict(value) if isinstance(value, Mapping) else None

    if _LOGIN.search(json.dumps(values, default=plain, skipkeys=True)):
        raise ParameterError(
            "a URI with a login in it would be visible to everybody who may view the job: "
            "take it out, and give it to the pods by env_from_secrets (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY) and to this kernel by its environment"
        )


def _sendable(command: str, given: dict[str, Any], folder: JobFolder) -> dict[str, Any]:
    """The arguments as JSON: what is in memory goes into the folder, functions are refused."""
    out = {k: v for k, v in given.items() if v is not None}
    if "data" in out:
        out["data"] = _send_data(out["data"], "data", folder)
    if out.get("evals"):
        evals = out["evals"]
        pairs = [(d, n) for n, d in evals.items()] if isinstance(evals, Mapping) else evals
        sent = [(_send_data(d, f"eval-{n}", folder), n) for d, n in pairs]
        # The training data among the evals is built once there too.
        out["evals"] = [
            (out["data"] if d is given["data"] else s, n)
            for (d, n), (s, _) in zip(pairs, sent, strict=True)
        ]
    model = "model" if command == "predict" else "xgb_model"
    if model in out and not isinstance(out[model], str):
        folder.write("start.ubj", bytes(load_model(out[model]).save_raw("ubj")))
        out[model] = folder.path("start.ubj")
    if isinstance(out.get("calibration"), Calibration):
        folder.write("calibration-in.json", out["calibration"].to_json().encode())
        out["calibration"] = folder.path("calibration-in.json")
    if command == "predict" and "out" not in out:
        out["out"] = folder.path("predictions")
    try:
        json.dumps(out)
    except TypeError as error:
        raise ParameterError(
            "a rayjob takes paths, data frames and plain values only: functions and other "
            f"objects of this kernel do not reach its pods ({error})"
        ) from error
    return out


def _send_data(data: Any, name: str, folder: JobFolder) -> Any:
    """Paths as they are; a frame or table as a Parquet file in the folder."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(data, str | list | tuple):
        return data
    if isinstance(data, pa.Table):
        table = data
    else:
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise ParameterError(
                f"a {type(data).__name__} of this kernel does not reach the pods of a rayjob: "
                "give Parquet paths, a data frame or an Arrow table"
            )
        table = pa.Table.from_pandas(data, preserve_index=False)
    file = io.BytesIO()
    # Several row groups, so that each worker has something to read.
    pq.write_table(table, file, row_group_size=max(1, min(1 << 17, len(table) // 16)))
    folder.write(f"data/{name}.parquet", file.getvalue())
    return folder.path(f"data/{name}.parquet")


def with_room_for(options: RayJobOptions, concurrent: int) -> RayJobOptions:
    """The options of a search that runs some trials at a time, `workers` being a trial's."""
    return replace(options, workers=options.workers * concurrent)


def _clients() -> tuple[Any, Any]:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise ClusterError(
                "no Kubernetes cluster is known here: run in a pod with a service account, or "
                f"set KUBECONFIG to a file that names one ({error})"
            ) from error
    # Kubernetes' own client repeats a call only for HTTP's sake; polling repeats it anyway.
    configuration.retries = 0
    shared = client.ApiClient(configuration)
    return client.CustomObjectsApi(shared), client.CoreV1Api(shared)


@contextlib.contextmanager
def _words(what: str, absent_is_fine: bool = False) -> Iterator[None]:
    """Answers of the API server that are errors, in words that say how to fix them."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except HTTPError as error:
        raise ConnectionError(
            f"the Kubernetes API server does not answer ({type(error).__name__})"
        ) from error
    except ApiException as error:
        said = _said(error)
        if error.status == 404 and "page not found" in said:
            raise ClusterError(
                f"{what}: this Kubernetes cluster does not know RayJob. Have the KubeRay "
                "operator installed there, or use --cluster local"
            ) from error
        if error.status in (404, 409) and absent_is_fine:
            return
        if error.status == 401:
            raise ClusterError(f"{what}: log in to Kubernetes again ({said})") from error
        if error.status == 403:
            raise ClusterError(
                f"{what}: {said}. Ask for a role that may create, get and delete rayjobs.ray.io, "
                "create configmaps, and list pods with their logs, or take another namespace="
            ) from error
        if error.status is None or error.status == 429 or error.status >= 500:
            raise ConnectionError(
                f"the Kubernetes API server answers {error.status}: {said}"
            ) from error
        raise ClusterError(f"{what}: {said}") from error


def _said(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.body or error.reason or "").strip() or f"status {error.status}"
