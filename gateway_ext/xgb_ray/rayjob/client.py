"""A command on Kubernetes: submits a RayJob to KubeRay and follows it, or one that was submitted.

What is sent is made in `manifests` and `sent_arguments`; what runs there is `entry_point`; what the
two tell each other goes through a folder in storage (`folder`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway_ext.xgb_ray.data.storage import within
from gateway_ext.xgb_ray.errors import ClusterError, ParameterError
from gateway_ext.xgb_ray.rayjob.folder import COMMANDS, JobFolder
from gateway_ext.xgb_ray.rayjob.job_run import JobRun
from gateway_ext.xgb_ray.rayjob.manifests import COMMAND, FOLDER, RayJobOptions
from gateway_ext.xgb_ray.rayjob.ray_jobs import RayJobs
from gateway_ext.xgb_ray.rayjob.sent_arguments import refuse_logins, sendable


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
        raise ParameterError(f"a rayjob cannot run {command!r}, only {', '.join(COMMANDS)}")
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
                f"there is a job {options.name} already: choose another name=, or follow it with "
                f"%xgb_ray attach {options.name}"
            )
        sent = sendable(command, given, folder)
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


def with_room_for(options: RayJobOptions, concurrent: int) -> RayJobOptions:
    """The options of a search that runs some trials at a time, `workers` being a trial's."""
    return replace(options, workers=options.workers * concurrent)
