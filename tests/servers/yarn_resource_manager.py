"""YARN's ResourceManager with scripted answers, for those that a real one rarely gives.

Applications get there by a spark-submit of ours, which understands the real one's options; their
drivers are real processes.
"""

import copy
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from tests.servers.container import Container
from tests.servers.scripted_http import Answer, Request, ScriptedServer, every

_SUBMIT = "/submit"
_PROGRAM = '''#!{python}
"""Takes what spark-submit takes, and gives it to the scripted ResourceManager."""
import argparse, json, os, sys, urllib.request

parser = argparse.ArgumentParser()
for option in ("master", "deploy-mode", "name", "queue", "files", "py-files", "proxy-user",
               "executor-memory"):
    parser.add_argument("--" + option)
parser.add_argument("--conf", action="append", default=[])
parser.add_argument("script")
parser.add_argument("arguments", nargs=argparse.REMAINDER)
options = vars(parser.parse_args())
options["environment"] = dict(os.environ)
request = urllib.request.Request(
    {url!r} + "/submit", json.dumps(options).encode(), {{"Content-Type": "application/json"}}
)
try:
    told = json.load(urllib.request.urlopen(request))
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
print("INFO YarnClientImpl: Submitted application", told["id"], file=sys.stderr)
'''


def not_found(application_id: str) -> Answer:
    """As Hadoop 3 says it."""
    return remote_exception(
        404, "NotFoundException", f"java.lang.Exception: app with id: {application_id} not found"
    )


def remote_exception(status: int, name: str, message: str) -> Answer:
    """A failure in the ResourceManager's words."""
    return Answer(
        status,
        {
            "RemoteException": {
                "exception": name,
                "message": message,
                "javaClassName": f"org.apache.hadoop.yarn.webapp.{name}",
            }
        },
    )


class ScriptedResourceManager(ScriptedServer):
    """An active ResourceManager. `python` is that of the cluster's machines; queues are those that
    it has."""

    def __init__(self, python: str, queues: tuple[str, ...] = ("default",)) -> None:
        self.applications: dict[str, dict[str, Any]] = {}
        self.submissions: list[dict[str, Any]] = []
        self.runs = True
        """Whether applications get room to run."""
        self._python = python
        self._queues = queues
        self._containers: dict[str, Container] = {}
        self._wanted: dict[str, dict[str, Any]] = {}
        self._ended = threading.Event()
        super().__init__()
        every(0.1, self._schedule, self._ended)

    def write_spark(self, folder: Path) -> Path:
        """A SPARK_HOME whose spark-submit submits here."""
        program = folder / "bin" / "spark-submit"
        program.parent.mkdir(parents=True)
        program.write_text(_PROGRAM.format(python=sys.executable, url=self.url))
        program.chmod(0o755)
        return folder

    def stop(self) -> None:
        """Ends the server and every container."""
        self._ended.set()
        super().stop()
        with self.lock:
            for container in self._containers.values():
                container.remove()

    def of_kernel(self, kernel_id: str) -> list[dict[str, Any]]:
        """The applications that are named after a kernel."""
        with self.lock:
            named = [one for one in self.applications.values() if one["name"] == kernel_id]
            return copy.deepcopy(named)

    def add_of_others(self, application_id: str, **values: str) -> None:
        """Somebody else's application, which runs."""
        application = {
            "id": application_id,
            "user": "grace",
            "name": "nightly",
            "queue": "default",
            "state": "RUNNING",
            "finalStatus": "UNDEFINED",
            "diagnostics": "",
            "applicationType": "MAPREDUCE",
            "applicationTags": "",
        }
        with self.lock:
            self.applications[application_id] = {**application, **values}

    def change(self, application_id: str, **values: Any) -> None:
        """Something happens to an application."""
        with self.lock:
            self.applications[application_id].update(values)
            if values.get("state") in ("FAILED", "KILLED", "FINISHED"):
                self._end(application_id)

    def answer(self, request: Request) -> Answer:
        """See the base class."""
        if request.path == _SUBMIT:
            return self._submit(request.body)
        path = request.path.removeprefix("/ws/v1/cluster")
        if request.path == "/cluster":
            return Answer(200, b"<html></html>", content_type="text/html")
        if path == "/info":
            info = {"id": 1, "startedOn": 1, "state": "STARTED", "haState": "ACTIVE"}
            return Answer(200, {"clusterInfo": info})
        if path == "/apps":
            # Any of them, as the real one has it; an empty filter filters nothing.
            tags = set(filter(None, request.query.get("applicationTags", "").split(",")))
            found = [
                one
                for one in self.applications.values()
                if not tags or tags & set(one["applicationTags"].split(","))
            ]
            return Answer(200, {"apps": {"app": copy.deepcopy(found)} if found else None})
        application_id = path.split("/")[2]
        application = self.applications.get(application_id)
        if application is None:
            return not_found(application_id)
        if path.endswith("/state"):
            if request.method == "PUT" and request.query.get("user.name") != application["user"]:
                words = f"User {request.query.get('user.name')} cannot modify {application_id}"
                return remote_exception(403, "ForbiddenException", words)
            if request.method == "PUT" and application["state"] not in ("FINISHED", "FAILED"):
                application.update(
                    state="KILLED",
                    finalStatus="KILLED",
                    diagnostics="Application killed by user.",
                )
                self._end(application_id)
                return Answer(202, {"state": application["state"]})
            return Answer(200, {"state": application["state"]})
        return Answer(200, {"app": copy.deepcopy(application)})

    def _submit(self, options: dict[str, Any]) -> Answer:
        settings = dict(one.split("=", 1) for one in options["conf"])
        queue = options["queue"] or settings.get("spark.yarn.queue", "default")
        application_id = f"application_1790000000000_{len(self.submissions) + 1:04d}"
        self.submissions.append(options)
        application = {
            "id": application_id,
            "user": options["proxy_user"] or "gateway",
            "name": options["name"],
            "queue": queue,
            "state": "ACCEPTED",
            "finalStatus": "UNDEFINED",
            "diagnostics": "",
            "applicationType": "SPARK",
            "applicationTags": settings["spark.yarn.tags"],
        }
        self.applications[application_id] = application
        if queue not in self._queues:
            words = (
                f"Application {application_id} submitted by user gateway to unknown queue: {queue}"
            )
            application.update(state="FAILED", finalStatus="FAILED", diagnostics=words)
            failed = f"YarnException: Failed to submit {application_id} to YARN : {words}"
            return Answer(400, failed.encode(), content_type="text/plain")
        # What spark-submit uploads, before its folder goes.
        files = [Path(one) for one in options["files"].split(",")]
        self._wanted[application_id] = {
            "files": {one.name: one.read_bytes() for one in files},
            "bundles": {
                Path(one).name: Path(one).read_bytes() for one in options["py_files"].split(",")
            },
            "script": Path(options["script"]).read_bytes(),
            "arguments": options["arguments"],
        }
        return Answer(200, {"id": application_id})

    def _schedule(self) -> None:
        with self.lock:
            for application_id, application in self.applications.items():
                container = self._containers.get(application_id)
                if application["state"] == "ACCEPTED" and self.runs:
                    self._containers[application_id] = self.run(self._wanted[application_id])
                    application["state"] = "RUNNING"
                elif container is not None and application["state"] == "RUNNING":
                    code = container.exit_code
                    if code is not None:
                        good = code == 0
                        application.update(
                            state="FINISHED",
                            finalStatus="SUCCEEDED" if good else "FAILED",
                            diagnostics="" if good else f"User application exited with {code}",
                        )

    def run(self, wanted: dict[str, Any]) -> Container:
        """The driver of an application: `files`, `bundles` and `script` are what was submitted."""
        place = "/cwd-of-the-container"
        files = {**wanted["files"], **wanted["bundles"], "agent.py": wanted["script"]}
        arguments = [
            f"{place}/{one}" if one in wanted["files"] else one for one in wanted["arguments"]
        ]
        return Container(
            self._python,
            ["python", f"{place}/agent.py", *arguments],
            {"PYTHONPATH": ":".join(f"{place}/{name}" for name in wanted["bundles"])},
            {place: files},
        )

    def _end(self, application_id: str) -> None:
        container = self._containers.get(application_id)
        if container is not None:
            container.kill()
            shutil.rmtree(container.folder, ignore_errors=True)
