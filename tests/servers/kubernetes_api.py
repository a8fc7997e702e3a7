"""A Kubernetes cluster with scripted answers: there is no real one on this machine.

Its API server keeps objects, versions, preconditions and owners as the real one does, and a test
can have it answer anything else. With `images` it also does what kubelets and the Spark operator
do with pods and SparkApplications: their containers are real processes.
"""

import base64
import copy
import json
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.container import Container
from tests.servers.scripted_http import Answer, Request, ScriptedServer, every, now

Object = dict[str, Any]

_REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    422: "Invalid",
    429: "TooManyRequests",
}
_KINDS = {
    "pods": ("v1", "Pod"),
    "secrets": ("v1", "Secret"),
    "configmaps": ("v1", "ConfigMap"),
    "services": ("v1", "Service"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "namespaces": ("v1", "Namespace"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "events": ("v1", "Event"),
    "sparkapplications": ("sparkoperator.k8s.io/v1beta2", "SparkApplication"),
}


def status(code: int, message: str, reason: str | None = None) -> Answer:
    """A failure in the API server's words."""
    return Answer(
        code,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or _REASONS.get(code, "InternalError"),
            "code": code,
        },
    )


def _selected(found: Object, request: Request) -> bool:
    """Whether the request's field selector, of events by their objects, means this one."""
    selector = request.query.get("fieldSelector", "")
    wanted = dict(term.split("=") for term in selector.split(",") if term)
    about = {f"involvedObject.{name}": v for name, v in found.get("involvedObject", {}).items()}
    return all(about.get(name) == value for name, value in wanted.items())


class ScriptedKubernetes(ScriptedServer):
    """One cluster. `images` names the Python of each image that can be pulled."""

    def __init__(self, images: Mapping[str, str] | None = None) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.containers: dict[str, Container] = {}
        self.without_node: set[str] = set()
        """Pods whose node does not answer: nothing that is asked of them happens."""
        self._images = images
        self._version = 0
        self._ended = threading.Event()
        super().__init__()
        for name in ("default", "fleet", "fleet-research"):
            self._put("namespaces", "", {"metadata": {"name": name}, "status": {"phase": "Active"}})
        if images is not None:
            every(0.1, self._reconcile, self._ended)

    def write_kubeconfig(self, file: Path) -> None:
        """Says how it is reached."""
        file.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": "of-the-gateway"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )

    def stop(self) -> None:
        """Ends the server and every container."""
        self._ended.set()
        super().stop()
        with self.lock:
            for container in self.containers.values():
                container.remove()

    # For tests

    def named(self, plural: str) -> list[Object]:
        """The objects of a kind."""
        with self.lock:
            return [copy.deepcopy(o) for (p, _, _), o in self.objects.items() if p == plural]

    def of_kernel(self, plural: str, kernel_id: str) -> list[Object]:
        """The objects of a kind that are labeled with a kernel's id."""
        return [
            one
            for one in self.named(plural)
            if (one["metadata"].get("labels") or {}).get("kernel_id") == kernel_id
        ]

    def set_status(self, plural: str, name: str, **changes: Any) -> None:
        """Changes an object's status, as a controller does."""
        with self.lock:
            found = next(o for (p, _, n), o in self.objects.items() if (p, n) == (plural, name))
            found.setdefault("status", {}).update(changes)
            self._touch(found)

    def tell_of_pod(self, pod: Object, reason: str, message: str, kind: str = "Normal") -> None:
        """An event of a pod, as kubelets and schedulers write them."""
        metadata = pod["metadata"]
        about = {"kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        event = {
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex}"},
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": message,
            "lastTimestamp": now(),
        }
        with self.lock:
            self._put("events", metadata["namespace"], event)

    def lose_node(self, name: str) -> Container:
        """A pod's node does not answer any more; the pod's container, which is frozen."""
        with self.lock:
            self.without_node.add(name)
            pod = next(o for (p, _, n), o in self.objects.items() if (p, n) == ("pods", name))
            container = self.containers[pod["metadata"]["uid"]]
        container.freeze()
        # As the node controller does it, after a while; the kubelet's words stay.
        told = [{**one, "ready": True} for one in pod["status"]["containerStatuses"]]
        conditions = [{"type": "Ready", "status": "False"}]
        self.set_status("pods", name, conditions=conditions, containerStatuses=told)
        return container

    def remove(self, plural: str, name: str) -> None:
        """Somebody deletes an object."""
        with self.lock:
            key = next(k for k in self.objects if (k[0], k[2]) == (plural, name))
            self._vanish(key)

    # The API

    def answer(self, request: Request) -> Answer:
        """See the base class."""
        parts = request.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace, everywhere = "", False
        if parts[0] == "namespaces" and len(parts) > 2:
            # An empty namespace stands for all of them.
            namespace, everywhere, parts = parts[1], not parts[1], parts[2:]
        plural, name = parts[0], parts[1] if len(parts) > 1 else ""
        if plural not in _KINDS:
            return Answer(404, b"404 page not found\n", content_type="text/plain")
        if len(parts) == 3 and parts[2] == "log":
            return self._log(namespace, name)
        if request.method == "POST":
            return self._create(plural, namespace, request.body)
        if not name:
            keys = [
                key
                for key in self.objects
                if key[0] == plural and (everywhere or key[1] == namespace)
            ]
            items = [self.objects[key] for key in keys if _selected(self.objects[key], request)]
            if request.method == "DELETE":
                # A collection, as the real one does it.
                for key in keys:
                    self._vanish(key)
            return Answer(200, {"kind": "List", "items": copy.deepcopy(items)})
        found = self.objects.get((plural, namespace, name))
        if found is None:
            return status(404, f'{plural} "{name}" not found')
        if request.method == "DELETE":
            return self._delete((plural, namespace, name), found, request.body or {})
        if request.method == "PATCH":
            return self._patch(found, request.body or {})
        return Answer(200, copy.deepcopy(found))

    def _patch(self, found: Object, changes: Object) -> Answer:
        """A merge patch of labels and annotations, for this very object if it names the uid."""
        metadata, new = found["metadata"], dict(changes["metadata"])
        uid = new.pop("uid", metadata["uid"])
        if uid != metadata["uid"]:
            return status(
                409,
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                f"{metadata['uid']}",
                "Conflict",
            )
        for part, values in new.items():
            metadata[part] = {**metadata.get(part, {}), **values}
        self._touch(found)
        return Answer(200, copy.deepcopy(found))

    def _create(self, plural: str, namespace: str, manifest: Object) -> Answer:
        name = manifest["metadata"]["name"]
        if namespace and ("namespaces", "", namespace) not in self.objects:
            return status(404, f'namespaces "{namespace}" not found')
        if (plural, namespace, name) in self.objects:
            return status(409, f'{plural} "{name}" already exists', "AlreadyExists")
        made = copy.deepcopy(manifest)
        made["metadata"].setdefault("namespace", namespace)
        if plural == "pods":
            made["status"] = {"phase": "Pending"}
        self._put(plural, namespace, made)
        return Answer(201, copy.deepcopy(made))

    def _put(self, plural: str, namespace: str, made: Object) -> None:
        made["apiVersion"], made["kind"] = _KINDS[plural]
        made["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        self._touch(made)
        self.objects[plural, namespace, made["metadata"]["name"]] = made

    def _touch(self, changed: Object) -> None:
        self._version += 1
        changed["metadata"]["resourceVersion"] = str(self._version)

    def _delete(self, key: tuple[str, str, str], found: Object, options: Object) -> Answer:
        wanted = options.get("preconditions") or {}
        metadata = found["metadata"]
        for field, meta in (("uid", "uid"), ("resourceVersion", "resourceVersion")):
            if field in wanted and wanted[field] != metadata[meta]:
                return status(
                    409,
                    f'Operation cannot be fulfilled on {key[0]} "{key[2]}": the {field} in the '
                    f"precondition ({wanted[field]}) does not match the {field} in record "
                    f"({metadata[meta]}). The object might have been deleted and then recreated",
                    "Conflict",
                )
        container = self.containers.get(metadata["uid"])
        if found["kind"] == "Pod" and key[2] in self.without_node:
            metadata["deletionTimestamp"] = now()
            self._touch(found)
            return Answer(200, copy.deepcopy(found))
        if container is not None and container.exit_code is None:
            metadata["deletionTimestamp"] = now()
            self._touch(found)
            container.terminate(options.get("gracePeriodSeconds", 30))
            return Answer(200, copy.deepcopy(found))
        self._vanish(key)
        return Answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _vanish(self, key: tuple[str, str, str]) -> None:
        """The object goes, and what belongs to it."""
        gone = self.objects.pop(key, None)
        if gone is None:
            return
        container = self.containers.pop(gone["metadata"]["uid"], None)
        if container is not None:
            container.remove()
        for other, object_ in list(self.objects.items()):
            owners = object_["metadata"].get("ownerReferences") or []
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners) or (
                key[0] == "namespaces" and other[1] == key[2]
            ):
                self._vanish(other)

    def _log(self, namespace: str, name: str) -> Answer:
        pod = self.objects.get(("pods", namespace, name))
        container = self.containers.get(pod["metadata"]["uid"]) if pod else None
        if container is None:
            return status(400, f'container in pod "{name}" is waiting to start')
        return Answer(200, container.log.encode(), content_type="text/plain")

    # What the cluster does with its objects

    def _reconcile(self) -> None:
        with self.lock:
            for key, found in list(self.objects.items()):
                if key not in self.objects:
                    continue
                if key[0] == "pods":
                    self._run_pod(key, found)
                elif key[0] == "sparkapplications":
                    self._run_application(key, found)

    def _run_pod(self, key: tuple[str, str, str], pod: Object) -> None:
        if key[2] in self.without_node:
            return
        container = self.containers.get(pod["metadata"]["uid"])
        first = pod["spec"]["containers"][0]
        told: Object = {"name": first["name"], "image": first["image"], "state": {}}
        if container is None:
            if pod["status"].get("conditions") or pod["status"].get("containerStatuses"):
                return
            if first["image"] not in (self._images or {}):
                told["state"]["waiting"] = {
                    "reason": "ImagePullBackOff",
                    "message": f'Back-off pulling image "{first["image"]}": ErrImagePull: '
                    f"{first['image']}: not found",
                }
                pod["status"]["containerStatuses"] = [told]
                self._touch(pod)
                return
            container = self._start_container(key[1], pod, first)
            if container is None:
                return
            self.containers[pod["metadata"]["uid"]] = container
            told["state"]["running"] = {"startedAt": now()}
            pod["status"] = {"phase": "Running", "containerStatuses": [told]}
            self._touch(pod)
        code = container.exit_code
        if code is None:
            return
        if "deletionTimestamp" in pod["metadata"]:
            self._vanish(key)
        elif pod["status"]["phase"] == "Running":
            reason = "Completed" if code == 0 else "Error"
            told["state"]["terminated"] = {"exitCode": code, "reason": reason}
            phase = "Succeeded" if code == 0 else "Failed"
            pod["status"] = {"phase": phase, "containerStatuses": [told]}
            self._touch(pod)

    def _start_container(self, namespace: str, pod: Object, first: Object) -> Container | None:
        mounts: dict[str, Mapping[str, bytes]] = {}
        for volume in pod["spec"].get("volumes") or []:
            if "secret" not in volume:
                continue
            secret = self.objects.get(("secrets", namespace, volume["secret"]["secretName"]))
            if secret is None:
                # A kubelet waits for it.
                return None
            files = {n: base64.b64decode(text) for n, text in secret["data"].items()}
            for mount in first.get("volumeMounts") or []:
                if mount["name"] == volume["name"]:
                    mounts[mount["mountPath"]] = files
        environment = {one["name"]: one["value"] for one in first.get("env") or []}
        command = [*first["command"], *(first.get("args") or [])]
        return Container((self._images or {})[first["image"]], command, environment, mounts)

    def _run_application(self, key: tuple[str, str, str], application: Object) -> None:
        spec = application["spec"]
        state = ((application.get("status") or {}).get("applicationState") or {}).get("state")
        driver = f"{key[2]}-driver"
        if state is None:
            secrets = spec["driver"].get("secrets") or []
            environment = {
                name.removeprefix("spark.kubernetes.driverEnv."): value
                for name, value in (spec.get("sparkConf") or {}).items()
                if name.startswith("spark.kubernetes.driverEnv.")
            }
            script = spec["mainApplicationFile"].removeprefix("local://")
            pod: Object = {
                "metadata": {
                    "name": driver,
                    "namespace": key[1],
                    "labels": spec["driver"]["labels"],
                    "ownerReferences": [
                        {
                            "apiVersion": application["apiVersion"],
                            "kind": application["kind"],
                            "name": key[2],
                            "uid": application["metadata"]["uid"],
                        }
                    ],
                },
                "spec": {
                    "containers": [
                        {
                            "name": "spark-kubernetes-driver",
                            "image": spec["image"],
                            "command": ["python", script],
                            "args": spec["arguments"],
                            "env": [{"name": n, "value": v} for n, v in environment.items()],
                            "volumeMounts": [
                                {"name": one["name"], "mountPath": one["path"]} for one in secrets
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": one["name"], "secret": {"secretName": one["name"]}}
                        for one in secrets
                    ],
                },
                "status": {"phase": "Pending"},
            }
            self._put("pods", key[1], pod)
            application["status"] = {
                "applicationState": {"state": "SUBMITTED"},
                "driverInfo": {"podName": driver},
            }
            self._touch(application)
            return
        found = self.objects.get(("pods", key[1], driver))
        phase = found["status"]["phase"] if found else "Failed"
        states = {"Running": "RUNNING", "Succeeded": "COMPLETED", "Failed": "FAILED"}
        if phase in states and state not in (states[phase], "COMPLETED", "FAILED"):
            told = {"state": states[phase]}
            if phase == "Failed":
                told["errorMessage"] = "driver container failed with ExitCode: 1, Reason: Error"
            application["status"]["applicationState"] = told
            self._touch(application)
