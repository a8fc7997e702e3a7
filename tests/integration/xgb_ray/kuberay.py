"""A small HTTP server that speaks the part of the Kubernetes API that RayJobs need.

There is no real API server where these tests run, so its answers are scripted here, after those of
Kubernetes and of KubeRay 1.7 (states and reasons: ray-operator/apis/ray/v1/rayjob_types.go). What
a RayJob runs is real: its entry point is carried out, as a process of its own, on a real Ray
cluster. Tests on a real API server come with the cluster work.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway_ext.xgb_ray.rayjob.manifests import TASK_MOUNT
from tests.servers.http_thread import serve_in_thread
from tests.servers.ray_head import TOKEN

ROOT = Path(__file__).parents[3]


class KubeRay:
    """What the server knows, for tests to look at and to change.

    Attributes:
        jobs: RayJobs by name, as they were posted, with their status.
        config_maps: ConfigMaps by name.
        deleted: names of RayJobs that were deleted.
        refusals: answers instead of the usual ones: (method, pattern of the path, status, body);
            the body is text, or the message of a Status.
        pods: the pods of every job while it starts, as a JSON list, instead of the usual ones.
        waits: jobs stay in this state (a status) and do not run.
        ray_address: where entry points run; without one they are not carried out.
    """

    def __init__(self, folder: Path, ray_address: str = "") -> None:
        self.folder, self.ray_address = folder, ray_address
        self.jobs: dict[str, dict[str, Any]] = {}
        self.config_maps: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.refusals: list[tuple[str, str, int, str]] = []
        self.pods: list[dict[str, Any]] | None = None
        self.waits: dict[str, Any] | None = None
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = ""

    def log_of(self, name: str) -> Path:
        """What the submitter's pod printed."""
        return self.folder / f"{name}.pod.log"

    def make(self, job: dict[str, Any]) -> dict[str, Any]:
        """Post a RayJob."""
        job["metadata"]["uid"] = str(uuid.uuid4())
        job["status"] = {}
        self.jobs[job["metadata"]["name"]] = job
        return job

    def operate(self, name: str) -> None:
        """What KubeRay does with a job whose task is there, in short."""
        job = self.jobs[name]
        status = job["status"]
        status.update(jobDeploymentStatus="Initializing", rayClusterName=f"{name}-cluster")
        if self.waits is not None:
            status.update(self.waits)
            return
        if self.pods is not None or not self.ray_address:
            return
        mount = self.folder / f"{name}-task"
        mount.mkdir()
        for file, text in self.config_maps[name]["data"].items():
            (mount / file).write_text(text)
        entrypoint = job["spec"]["entrypoint"].replace(TASK_MOUNT, str(mount))
        environment = {
            **os.environ,
            **TOKEN,
            "RAY_ADDRESS": self.ray_address,
            "PYTHONPATH": str(ROOT),
            **_environment_of_head(job),
        }
        with self.log_of(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *shlex.split(entrypoint)[1:]],
                cwd=mount,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes[name] = process
        status.update(jobDeploymentStatus="Running", jobStatus="RUNNING")
        threading.Thread(target=self._end, args=(name, status), daemon=True).start()

    def _end(self, name: str, status: dict[str, Any]) -> None:
        code = self.processes[name].wait()
        if code == 0:
            status.update(jobDeploymentStatus="Complete", jobStatus="SUCCEEDED")
        else:
            status.update(
                jobDeploymentStatus="Failed",
                jobStatus="FAILED",
                reason="AppFailed",
                message=f"Job entrypoint command failed with exit code {code}",
            )

    def delete(self, name: str) -> None:
        """Remove a job and what it owns."""
        del self.jobs[name]
        self.deleted.append(name)
        for other, found in list(self.config_maps.items()):
            owners = found["metadata"].get("ownerReferences", [])
            if any(o["name"] == name for o in owners):
                del self.config_maps[other]
        process = self.processes.get(name)
        if process is not None:
            process.kill()

    def pods_of(self, selector: str) -> list[dict[str, Any]]:
        """Pods by label selector."""
        key, _, value = selector.partition("=")
        if self.pods is not None:
            return self.pods if key == "ray.io/cluster" else []
        if key == "batch.kubernetes.io/job-name" and value in self.jobs:
            if not self.log_of(value).exists():
                return []
            return [make_pod(f"{value}-abcde", phase="Running")]
        return []


def _environment_of_head(job: dict[str, Any]) -> dict[str, str]:
    """Where the entry point of a job runs."""
    pod = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"]}


def make_pod(
    name: str,
    phase: str = "Pending",
    waiting: tuple[str, str] | None = None,
    unschedulable: str = "",
) -> dict[str, Any]:
    """A pod as the API server returns it."""
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    if waiting:
        state = {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    status: dict[str, Any] = {
        "phase": phase,
        "containerStatuses": [
            {
                "name": "ray",
                "image": "registry.example/kernel:1",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
            }
        ],
    }
    if unschedulable:
        status["containerStatuses"] = []
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": unschedulable,
            }
        ]
    return {"metadata": {"name": name, "namespace": "ml"}, "status": status}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at what was asked, not at a log."""

    def _answer(self, code: int, body: Any) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _status(self, code: int, message: str) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
        self._answer(code, {**body, "code": code})

    def _dispatch(self) -> None:
        kube, path = self.server.kube, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        for method, pattern, code, message in kube.refusals:
            if method == self.command and re.search(pattern, path.path):
                if message.startswith("404 page"):
                    self._answer(code, message)
                else:
                    self._status(code, message)
                return
        query = parse_qs(path.query)
        job = re.fullmatch(r"/apis/ray.io/v1/namespaces/ml/rayjobs(?:/([^/]+))?", path.path)
        if job:
            self._job(kube, job.group(1), body)
        elif path.path == "/api/v1/namespaces/ml/configmaps" and body is not None:
            name = body["metadata"]["name"]
            kube.config_maps[name] = body
            self._answer(201, body)
            kube.operate(name)
        elif path.path == "/api/v1/namespaces/ml/pods":
            items = kube.pods_of(query["labelSelector"][0])
            self._answer(200, {"kind": "PodList", "apiVersion": "v1", "items": items})
        elif log := re.fullmatch(r"/api/v1/namespaces/ml/pods/(.+)-abcde/log", path.path):
            self._log(kube, log.group(1), query.get("follow") == ["True"])
        else:
            self._answer(404, "404 page not found\n")

    def _job(self, kube: KubeRay, name: str | None, body: Any) -> None:
        if self.command == "POST":
            name = body["metadata"]["name"]
            if name in kube.jobs:
                self._status(409, f'rayjobs.ray.io "{name}" already exists')
            else:
                self._answer(201, kube.make(body))
        elif name not in kube.jobs:
            self._status(404, f'rayjobs.ray.io "{name}" not found')
        elif self.command == "DELETE":
            wanted = ((body or {}).get("preconditions") or {}).get("uid")
            if wanted not in (None, kube.jobs[name]["metadata"]["uid"]):
                self._status(409, f"the UID in the precondition ({wanted}) does not match")
                return
            kube.delete(name)
            self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        else:
            self._answer(200, kube.jobs[name])

    def _log(self, kube: KubeRay, name: str, follow: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        process = kube.processes[name]
        with kube.log_of(name).open("rb") as log:
            while True:
                ended = process.poll() is not None
                if chunk := log.read():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
                elif ended or not follow:
                    break
                else:
                    time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_DELETE = _dispatch


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, kube: KubeRay) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kube = kube


@contextmanager
def kuberay(folder: Path, ray_address: str = "") -> Iterator[KubeRay]:
    """The server, with a kubeconfig for it in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    kube = KubeRay(folder, ray_address)
    server = _Server(kube)
    kube.url = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": kube.url}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    serve_in_thread(server)
    try:
        yield kube
    finally:
        server.shutdown()
        for process in kube.processes.values():
            process.kill()
