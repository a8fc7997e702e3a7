"""A job that is being followed from this kernel."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.errors import ClusterError
from gateway_ext.xgb_ray.rayjob.folder import JobFolder
from gateway_ext.xgb_ray.rayjob.ray_jobs import RayJobs
from gateway_ext.xgb_ray.rayjob.stage import Stage, pod_trouble, read_stage
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.training.status import Status
from gateway_ext.xgb_ray.tuning.result import TuneStatus

# How long a job may take to end after it was told to stop at once.
_STOP_SECONDS = 8.0
# A pod that seems unable to start is given this long, since some recover by themselves.
_TROUBLE_SECONDS = 60.0


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
        """Stop following the job; the job itself continues."""
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
        """The job's state according to Kubernetes and to the job itself."""
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
        """Forward a request to stop; removes a job that has not started or does not react."""
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
        """Save the log of a job that could not report why it failed; returns its last lines."""
        lines: list[str] = []
        with contextlib.suppress(ClusterError, ConnectionError):
            lines = list(self._jobs.log(self.name))
        if lines:
            with contextlib.suppress(OSError):
                self.folder.write("pods.log", "\n".join(lines).encode())
        return "\n".join(lines[-10:])
