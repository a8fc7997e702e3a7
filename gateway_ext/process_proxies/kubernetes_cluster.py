"""A Kubernetes cluster: how it is reached, and what kernels get there unless they say otherwise."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3.exceptions
from traitlets import (
    Bool,
    Bunch,
    Dict,
    Float,
    Integer,
    List,
    TraitError,
    Unicode,
    default,
    validate,
)
from traitlets.config import LoggingConfigurable

from gateway_ext.process_proxies.cluster_calls import (
    ClusterCalls,
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)
from gateway_ext.process_proxies.cluster_names import namespace_name
from gateway_ext.process_proxies.kubernetes_connection import KubernetesConnection
from gateway_ext.process_proxies.option_labels import KUEUE_QUEUE
from gateway_ext.process_proxies.selectors import ObjectName, ObjectUid

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NO_POD = ObjectName("jupyter-fleet-status")
"""What is asked for to see whether the cluster answers; there is no such pod."""
_LOG_LINES, _LOG_BYTES = 40, 4000
_NO_LOG = "unable to retrieve container logs for "
"""What a kubelet gives as the log, with status 200, of a container that it has removed."""
_EVENTS, _NO_EVENTS_SECONDS = 100, 300.0
_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""Errors before a connection to the server existed."""

# The library logs each request; EG_KUBERNETES_LOG_LEVEL is Enterprise Gateway's variable.
logging.getLogger("kubernetes").setLevel(os.environ.get("EG_KUBERNETES_LOG_LEVEL", "WARNING"))


@dataclass(frozen=True)
class Resource:
    """A kind of object: the path of its API and its plural name there."""

    api: str
    plural: str
    namespaced: bool = True


PODS = Resource("/api/v1", "pods")
SECRETS = Resource("/api/v1", "secrets")
CONFIG_MAPS = Resource("/api/v1", "configmaps")
SERVICES = Resource("/api/v1", "services")
VOLUME_CLAIMS = Resource("/api/v1", "persistentvolumeclaims")
NAMESPACES = Resource("/api/v1", "namespaces", namespaced=False)
ROLE_BINDINGS = Resource("/apis/rbac.authorization.k8s.io/v1", "rolebindings")
EVENTS = Resource("/api/v1", "events")
SPARK_APPLICATIONS = Resource("/apis/sparkoperator.k8s.io/v1beta2", "sparkapplications")


class KubernetesCluster(LoggingConfigurable):
    """Calls to one cluster's API server, each with a timeout of `request_seconds`.

    Objects are the JSON documents of the API, as dicts. Every method raises ClusterSilent if there
    is no usable response, and ClusterRefused if the cluster rejects the call.
    """

    kubeconfig = Unicode(
        help="The kubeconfig file of the cluster, read again when it or a file that it names "
        "changes. Without one the gateway must itself run in the cluster, with a service account."
    ).tag(config=True)
    context = Unicode(
        help="The kubeconfig's context. The default is the one that is current when the gateway "
        "first calls the cluster."
    ).tag(config=True)
    namespace = Unicode(
        help="Where kernels run, unless their kernelspec says otherwise. The default is "
        "EG_NAMESPACE, or the gateway's own namespace."
    ).tag(config=True)
    project_namespaces = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="The namespace of each project's kernels, by the project's name; `*` is for all other "
        "projects, and {project} stands for the project's name: for example "
        '{"*": "kernels-{project}", "r_and_d": "kernels-research"}. A project that is not named '
        "uses `namespace`. The namespaces must exist, and the gateway needs its rights in each.",
    ).tag(config=True)
    namespace_per_kernel = Bool(
        False,
        help="Make a namespace for each kernel and remove it with the kernel, as Enterprise "
        "Gateway does where EG_SHARED_NAMESPACE is not set.",
    ).tag(config=True)
    kernel_cluster_role = Unicode(
        help="The ClusterRole that kernels' service accounts get in a namespace of their own "
        "(Spark drivers start pods). The default is EG_KERNEL_CLUSTER_ROLE, or none."
    ).tag(config=True)
    service_account = Unicode(
        help="The service account of kernels. The default is "
        "EG_DEFAULT_KERNEL_SERVICE_ACCOUNT_NAME, or `default`."
    ).tag(config=True)
    image = Unicode(
        help="The image of kernelspecs that name none. The default is EG_KERNEL_IMAGE."
    ).tag(config=True)
    executor_image = Unicode(
        help="The same for Spark's executors. The default is EG_KERNEL_EXECUTOR_IMAGE."
    ).tag(config=True)
    client_settings = List(
        Unicode(),
        help="Which of KERNEL_NAMESPACE, KERNEL_SERVICE_ACCOUNT_NAME, KERNEL_VOLUMES, "
        "KERNEL_VOLUME_MOUNTS, KERNEL_UID, KERNEL_GID, KERNEL_RUN_AS_ROOT and "
        "KERNEL_SPARKAPP_CONFIG_MAP a user who starts a kernel may choose. None by default: each "
        "can give access to other people's resources. Kernelspecs may always set them, in `env`.",
    ).tag(config=True)
    queue_label = Unicode(
        KUEUE_QUEUE,
        help="The label that has a kernel's queue (launch option `queue`), unless the kernelspec "
        "says otherwise in metadata.fleet.queue_label or queue_annotation.",
    ).tag(config=True)
    node_pool_label = Unicode(
        "jupyter-fleet/node-pool",
        help="The label of nodes by which the launch option `node_pool` chooses them, for example "
        "cloud.google.com/gke-nodepool, unless the kernelspec says otherwise in "
        "metadata.fleet.node_pool_label.",
    ).tag(config=True)
    mirror_working_dirs = Bool(
        os.environ.get("EG_MIRROR_WORKING_DIRS", "").lower() == "true",
        help="Start kernels in KERNEL_WORKING_DIR, which must exist in the container. "
        "Otherwise they start in the image's working folder. The default is "
        "EG_MIRROR_WORKING_DIRS.",
    ).tag(config=True)
    pull_patience_seconds = Float(
        20.0,
        help="How many seconds a container that cannot be created, for example because of its "
        "image, may take to recover by itself.",
    ).tag(config=True)
    request_seconds = Float(10.0, help="How long the API server may take to answer.").tag(
        config=True
    )
    threads = Integer(16, min=1, help="How many requests may run at the same time.").tag(
        config=True
    )

    @validate("project_namespaces")
    def _valid_project_namespaces(self, proposal: Bunch) -> dict[str, str]:
        namespaces: dict[str, str] = proposal["value"]
        for project, namespace in namespaces.items():
            try:
                namespace_name(namespace, "x" if project == "*" else project)
            except ValueError as error:
                raise TraitError(f"KubernetesCluster.project_namespaces: {error}") from error
        return namespaces

    @default("namespace")
    def _namespace_default(self) -> str:
        named = os.environ.get("EG_NAMESPACE")
        if named:
            return named
        try:
            return _OWN_NAMESPACE.read_text().strip() or "default"
        except OSError:
            return "default"

    @default("kernel_cluster_role")
    def _kernel_cluster_role_default(self) -> str:
        return os.environ.get("EG_KERNEL_CLUSTER_ROLE", "")

    @default("service_account")
    def _service_account_default(self) -> str:
        return os.environ.get("EG_DEFAULT_KERNEL_SERVICE_ACCOUNT_NAME", "default")

    @default("image")
    def _image_default(self) -> str:
        return os.environ.get("EG_KERNEL_IMAGE", "")

    @default("executor_image")
    def _executor_image_default(self) -> str:
        return os.environ.get("EG_KERNEL_EXECUTOR_IMAGE", "")

    @cached_property
    def _no_events_until(self) -> dict[str, float]:
        return {}

    @cached_property
    def _calls(self) -> ClusterCalls:
        # A little above the socket's own time-out, which says more.
        return ClusterCalls(
            self.threads, self.request_seconds + 2.0, "fleet-kubernetes", "the API server"
        )

    @cached_property
    def _connection(self) -> KubernetesConnection:
        return KubernetesConnection(
            self.kubeconfig, self.context, connections=self.threads, log=self.log
        )

    @property
    def server(self) -> str:
        """The API server, in words for people."""
        return f"the API server at {self._connection.host}".removesuffix(" at ")

    async def may_see_pods(self, namespace: ObjectName) -> bool:
        """Whether the gateway's credentials, which the cluster accepts, give it that right: it has
        no other one where it has not this one. The namespace may not exist."""
        try:
            await self.get(PODS, namespace, _NO_POD)
        except ClusterRefused as refusal:
            if refusal.status == 403:
                return False
            raise
        return True

    async def create(
        self, resource: Resource, namespace: ObjectName, manifest: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Creates an object and returns it as the cluster has it."""
        return await self._json("POST", _path(resource, namespace), body=dict(manifest))

    async def get(
        self, resource: Resource, namespace: ObjectName, name: ObjectName
    ) -> dict[str, Any] | None:
        """The object; None only if the cluster says that there is none of that name."""
        try:
            return await self._json("GET", _path(resource, namespace, name))
        except ClusterRefused as refusal:
            if refusal.status == 404 and refusal.reason == "NotFound":
                return None
            raise

    async def delete(
        self,
        resource: Resource,
        namespace: ObjectName,
        name: ObjectName,
        *,
        uid: ObjectUid,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Deletes this very object, and only if it still has the version, if one is given. False if
        there is another version, or another object; True if it is gone or going."""
        preconditions = {"uid": uid.value}
        if resource_version is not None:
            preconditions["resourceVersion"] = resource_version
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        return await self._of_this_object("DELETE", _path(resource, namespace, name), options)

    async def label(
        self,
        resource: Resource,
        namespace: ObjectName,
        name: ObjectName,
        *,
        uid: ObjectUid,
        changes: Mapping[str, Mapping[str, str]],
    ) -> bool:
        """Sets `labels` and `annotations` of this very object, and leaves all others. False if
        another object has its name by now; True if it is gone."""
        body = {"metadata": {**{part: dict(new) for part, new in changes.items()}, "uid": str(uid)}}
        return await self._of_this_object("PATCH", _path(resource, namespace, name), body)

    async def _of_this_object(self, method: str, path: str, body: dict[str, Any]) -> bool:
        """A call about one very object: True if it was done or the object is gone, False if the
        object has changed or another one has its name."""
        try:
            await self._json(method, path, body=body)
        except ClusterRefused as refusal:
            if refusal.status == 404 and refusal.reason == "NotFound":
                return True
            if refusal.status == 409:
                return False
            raise
        return True

    async def log(self, namespace: ObjectName, pod: ObjectName, container: str) -> str:
        """The end of what a container wrote; empty if it cannot be read."""
        query = {
            "container": container,
            "tailLines": str(_LOG_LINES),
            "limitBytes": str(_LOG_BYTES),
        }
        try:
            text = await self._calls.run(
                lambda: self._request("GET", f"{_path(PODS, namespace, pod)}/log", query, None)
            )
        except (ClusterRefused, ClusterSilent):
            return ""
        said = text.decode(errors="replace").strip()
        return "" if said.startswith(_NO_LOG) else said

    async def events(
        self, namespace: ObjectName, name: ObjectName, uid: ObjectUid
    ) -> list[dict[str, Any]]:
        """The events of one pod; empty if they cannot be read. Where the gateway has no right to,
        it asks again after some minutes only."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._no_events_until.get(namespace.value, 0.0):
            return []
        query = {
            "fieldSelector": f"involvedObject.name={name},involvedObject.uid={uid}",
            "limit": str(_EVENTS),
        }
        try:
            found = await self._json("GET", _path(EVENTS, namespace), query=query)
        except ClusterRefused:
            now, until = loop.time(), self._no_events_until
            # There may be a namespace for each kernel.
            for other in [name for name, then in until.items() if then <= now]:
                del until[other]
            until[namespace.value] = now + _NO_EVENTS_SECONDS
            return []
        except ClusterSilent:
            return []
        return [one for one in found.get("items") or [] if isinstance(one, dict)]

    async def _json(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            text = self._request(method, path, query or {}, body)
            try:
                document = json.loads(text)
            except ValueError as error:
                raise ClusterSilent(f"the API server's answer is not JSON: {error}") from error
            if not isinstance(document, dict):
                raise ClusterSilent("the API server's answer is not an object")
            return document

        return await self._calls.run(call)

    def _request(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any] | None
    ) -> bytes:
        client = self._connection.client()
        merge = method == "PATCH"
        content_type = "application/merge-patch+json" if merge else "application/json"
        request = client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = client.call_api(*request, _request_timeout=self.request_seconds)
            text: bytes = answer.read() or b""
        except (OSError, urllib3.exceptions.HTTPError, _library_error()) as error:
            raise ClusterSilent(
                f"{self.server} does not answer: {error}",
                unmade=isinstance(error, _NOT_SENT),
                words="the API server does not answer",
            ) from error
        if 200 <= answer.status < 300:
            return text
        if answer.status == 401:
            self._connection.credentials_rejected()
        raise refusal_from(answer.status, text, self.server)


def refusal_from(
    status: int, body: bytes, server: str = "the API server"
) -> ClusterRefused | ClusterSilent:
    """The error for an unsuccessful response of `server`: ClusterSilent if it says nothing about
    the object (server overloaded or broken, response of a proxy, call not authenticated)."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("kind") != "Status":
        told = {}
    message = str(told.get("message") or body.decode(errors="replace")[:500].strip())
    if status == 401:
        return CredentialsRefused(
            f"{server} answers 401 Unauthorized: the gateways' credentials are refused or have "
            "expired"
        )
    if status >= 500 or status in (408, 429):
        return ClusterSilent(f"{server} answers {status}: {message}", unmade=status == 429)
    return ClusterRefused(status, str(told.get("reason") or ""), message or f"HTTP status {status}")


def _library_error() -> type[Exception]:
    from kubernetes.client import ApiException

    error: type[Exception] = ApiException
    return error


def _path(resource: Resource, namespace: ObjectName, name: ObjectName | None = None) -> str:
    parts = [resource.api]
    if resource.namespaced:
        parts += ["namespaces", quote(namespace.value, safe="")]
    parts.append(resource.plural)
    if name is not None:
        parts.append(quote(name.value, safe=""))
    return "/".join(parts)
