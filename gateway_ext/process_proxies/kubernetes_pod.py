"""Agents in pods of Kubernetes."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
)

from gateway_ext.process_proxies.agent_bundle import AGENT_SCRIPT, agent_bundle
from gateway_ext.process_proxies.agent_process import (
    AgentSettings,
    AgentStart,
    KernelspecUnusable,
    LaunchFailed,
    NoPool,
)
from gateway_ext.process_proxies.client_settings import refuse_guarded, refuse_prohibited_ids
from gateway_ext.process_proxies.cluster_agent import ClusterAgentProxy, container_document
from gateway_ext.process_proxies.cluster_names import (
    LONGEST_NAME,
    has_namespaces_of_projects,
    kernel_object_name,
    project_namespace,
)
from gateway_ext.process_proxies.environment import container_environment
from gateway_ext.process_proxies.kernel_command import kernel_command
from gateway_ext.process_proxies.kubernetes_cluster import (
    NAMESPACES,
    PODS,
    ROLE_BINDINGS,
    SECRETS,
    KubernetesCluster,
    Resource,
)
from gateway_ext.process_proxies.manifests import (
    BUNDLE_FILE,
    DOCUMENT_FILE,
    SCRIPT_FILE,
    KernelObjects,
    make_extra,
    make_files,
    make_namespace,
    make_pod,
    make_role_binding,
)
from gateway_ext.process_proxies.object_creation import create_extra, create_once
from gateway_ext.process_proxies.object_removal import NotOurs, Ours, remove_object
from gateway_ext.process_proxies.option_labels import OptionLabels, option_labels
from gateway_ext.process_proxies.pod_events import EVENTFUL, with_events
from gateway_ext.process_proxies.pod_options import (
    POD_OPTIONS,
    option_variables,
    with_pod_options,
)
from gateway_ext.process_proxies.pod_shape import beside_pod, late_document, pod_shape
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL, pod_sighting
from gateway_ext.process_proxies.pod_variables import complete_variables
from gateway_ext.process_proxies.selectors import ObjectName, ObjectUid
from gateway_ext.process_proxies.sighting import Sighting, dead
from gateway_ext.process_proxies.template_rendering import (
    find_template,
    render,
    template_variables,
)


class KubernetesAgentProxy(ClusterAgentProxy):
    """An agent in a pod that is named and labeled after the kernel.

    The pod comes first; what the agent must know is in a Secret that belongs to the pod, which
    waits for it, so that whatever is deleted with the pod leaves nothing. Before an object is
    deleted its labels are compared, and the deletion names the uid that was seen.
    """

    RESOURCE: ClassVar[Resource] = PODS
    KIND: ClassVar[str] = "Pod"
    TEMPLATE: ClassVar[str] = "kernel-pod.yaml.j2"
    LONGEST_NAME: ClassVar[int] = LONGEST_NAME
    OPTIONS: ClassVar[frozenset[str]] = POD_OPTIONS

    def __init__(self, kernel_manager: RemoteKernelManager, proxy_config: dict[str, Any]) -> None:
        self.cluster: KubernetesCluster = kernel_manager.parent.cluster(KubernetesCluster)
        super().__init__(kernel_manager, proxy_config)
        self._name: ObjectName | None = None
        self._namespace: ObjectName | None = None
        self._launch = ""
        self._uid: ObjectUid | None = None
        self._own_namespace = False
        self._namespace_uid: ObjectUid | None = None
        self._version: str | None = None
        # The kernel id in the labels of its objects.
        self._labeled_as: str = self.kernel_id
        self._template = Path()
        self._container = ""

    @classmethod
    def check(cls, kernelspec: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """See the base class."""
        kernel_command(kernelspec, config)
        launcher = str((kernelspec.get("argv") or [""])[0])
        if launcher.endswith("run.sh") and "kernel_argv" not in config:
            raise KernelspecUnusable(
                "this kernelspec has spark-submit start its pod, which leaves no room for an "
                "agent: use the Spark operator's process proxy, or name the kernel's command in "
                "metadata.process_proxy.config.kernel_argv to run it in a pod of its own"
            )
        find_template(kernelspec, config, cls.TEMPLATE)
        option_labels(kernelspec, "", "")

    @property
    def patience_seconds(self) -> float:
        """See the base class."""
        return self.cluster.pull_patience_seconds

    @property
    def who_answers(self) -> str:
        """See the base class."""
        return "the API server"

    def plan(self, start: AgentStart, settings: AgentSettings, env: dict[str, str]) -> None:
        """See the base class."""
        refuse_guarded(env, self.cluster.client_settings)
        env.update(option_variables(start.launch_options))
        cluster, config = self.cluster, self.proxy_config
        complete_variables(env, start.kernelspec, config, cluster)
        refuse_prohibited_ids(env)
        self._template = find_template(
            {**start.kernelspec, "resource_dir": start.resource_dir}, config, self.TEMPLATE
        )
        self._launch = start.launch
        name = kernel_object_name(
            start.kernel_id,
            env["KERNEL_USERNAME"],
            env.get("KERNEL_POD_NAME", ""),
            template_variables(env),
            self.LONGEST_NAME,
        )
        named = env.get("KERNEL_NAMESPACE") or config.get("namespace")
        if named is None:
            if start.pooled and has_namespaces_of_projects(cluster.project_namespaces):
                raise NoPool("each project has a namespace of its own (project_namespaces)")
            try:
                named = project_namespace(start.project, cluster.project_namespaces)
            except ValueError as error:
                raise LaunchFailed(str(error)) from error
        self._own_namespace = named is None and cluster.namespace_per_kernel
        namespace = named or (name if self._own_namespace else cluster.namespace)
        try:
            self._name, self._namespace = ObjectName(name), ObjectName(str(namespace))
        except ValueError as error:
            raise LaunchFailed(
                f"{error}: KERNEL_POD_NAME, KERNEL_NAMESPACE and KubernetesCluster.namespace must "
                "be lower case letters, digits and '-'"
            ) from error
        env.update(KERNEL_POD_NAME=name, KERNEL_NAMESPACE=str(namespace))

    def can_submit_again(self, process: Mapping[str, Any]) -> bool:
        """See the base class: under the same names, unless this gateway is configured otherwise."""
        planned = self.get_process_info()
        return all(
            planned[name] == process.get(name)
            for name in ("namespace", "name", "launch", "own_namespace")
        )

    async def submit(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """See the base class."""
        kernel = self._objects(start)
        rendered, main = self._rendered(start, kernel, environment)
        if start.shape is not None and start.shape != self._shape(
            start, settings, kernel, rendered, main
        ):
            raise LaunchFailed(
                "its kernelspec has changed since the pool was looked at, or its template makes a "
                "pod of its own for each kernel"
            )
        files = self._files(start, settings, environment)
        if self._own_namespace:
            await self._make_namespace(kernel, environment["KERNEL_SERVICE_ACCOUNT_NAME"])
        owner = await create_once(self.cluster, self.RESOURCE, main, kernel, self)
        self._uid = ObjectUid(owner["metadata"]["uid"])
        owner = {"apiVersion": main["apiVersion"], "kind": self.KIND, **owner}
        await create_once(self.cluster, SECRETS, make_files(kernel, owner, files), kernel, self)
        for document in rendered:
            if document["kind"] != self.KIND:
                extra = make_extra(document, kernel, owner)
                await create_extra(self.cluster, extra, kernel, self)

    def _objects(self, start: AgentStart) -> KernelObjects:
        name, namespace = self._place
        return KernelObjects(
            name.value, namespace.value, start.kernel_id, start.project, self._launch
        )

    def _rendered(
        self, start: AgentStart, kernel: KernelObjects, environment: Mapping[str, str]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The template's objects, and the manifest of the one that runs the agent."""
        rendered = render(self._template, self.template_variables(start, environment))
        mains = [document for document in rendered if document["kind"] == self.KIND]
        if len(mains) != 1:
            raise LaunchFailed(f"the template {self._template} must make one {self.KIND}")
        return rendered, self.manifest(self._with_options(mains[0], start), kernel)

    def template_variables(
        self, start: AgentStart, environment: Mapping[str, str]
    ) -> dict[str, Any]:
        """What the template can fill in."""
        return {**template_variables(environment), "kernel_name": start.kernel_name}

    def _with_options(self, template: Mapping[str, Any], start: AgentStart) -> dict[str, Any]:
        labels = option_labels(
            start.kernelspec, self.cluster.queue_label, self.cluster.node_pool_label
        )
        return self.with_options(template, start.launch_options, labels)

    def with_options(
        self, template: Mapping[str, Any], options: Mapping[str, Any], labels: OptionLabels
    ) -> dict[str, Any]:
        """The template's object with the launch options."""
        return with_pod_options(template, options, labels)

    def manifest(self, template: Mapping[str, Any], kernel: KernelObjects) -> dict[str, Any]:
        """The object that runs the agent."""
        return make_pod(template, kernel, str(self.proxy_config.get("python") or "python"))

    def command(self, kernelspec: Mapping[str, Any]) -> list[str]:
        """The kernel's command."""
        return kernel_command(kernelspec, self.proxy_config)

    def _document(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> dict[str, Any]:
        return container_document(
            start,
            settings,
            self.command(start.kernelspec),
            container_environment(
                os.environ,
                {**environment, **start.chosen_environment},
                inherited=settings.inherited,
            ),
            parent="/tmp/",  # noqa: S108 - in a container of the kernel's own
            place="pod",
        )

    def _files(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> dict[str, bytes]:
        return {
            DOCUMENT_FILE: json.dumps(self._document(start, settings, environment)).encode(),
            BUNDLE_FILE: agent_bundle(),
            SCRIPT_FILE: AGENT_SCRIPT,
        }

    def pool_shape(self, start: AgentStart, settings: AgentSettings, env: Mapping[str, str]) -> str:
        """See the base class. Only for a pod whose template makes nothing beside it, in a namespace
        that is not its own."""
        if self.KIND != "Pod":
            raise NoPool("only kernels in pods of Kubernetes wait in pools")
        if self._own_namespace:
            raise NoPool("each kernel has a namespace of its own (namespace_per_kernel)")
        kernel = self._objects(start)
        rendered, main = self._rendered(start, kernel, env)
        return self._shape(start, settings, kernel, rendered, main)

    def _shape(
        self,
        start: AgentStart,
        settings: AgentSettings,
        kernel: KernelObjects,
        rendered: Sequence[Mapping[str, Any]],
        main: Mapping[str, Any],
    ) -> str:
        """The shape of the pod `main`, for which the template made the objects `rendered`."""
        if len(rendered) != 1:
            raise NoPool(f"the template {self._template} makes more than a pod")
        return pod_shape(main, kernel, beside_pod(start, settings, self.command(start.kernelspec)))

    def late_part(
        self, start: AgentStart, settings: AgentSettings, env: Mapping[str, str]
    ) -> dict[str, Any]:
        """See the base class. `load_process_info` was called with the claimed pod's names."""
        named = {**env, "KERNEL_POD_NAME": self._place[0].value}
        return late_document(self._document(start, settings, named))

    async def belong_to(self, kernel_id: str, project: str) -> bool:
        """See the base class: the pod's labels and annotations."""
        name, namespace = self._place
        kernel = KernelObjects(name.value, namespace.value, kernel_id, project, self._launch)
        found = await self.cluster.get(PODS, namespace, name)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        if found is None or labels.get(LAUNCH_LABEL) != self._launch:
            # It is gone, and nothing is left to be labeled.
            return True
        uid = ObjectUid(found["metadata"]["uid"])
        if self._uid not in (None, uid):
            return True
        changes = {
            "labels": {"kernel_id": kernel.kernel_id},
            "annotations": kernel.annotations,
        }
        labeled = await self.cluster.label(PODS, namespace, name, uid=uid, changes=changes)
        if labeled:
            self._labeled_as = kernel_id
        return labeled

    async def _make_namespace(self, kernel: KernelObjects, service_account: str) -> None:
        made = await create_once(self.cluster, NAMESPACES, make_namespace(kernel), kernel, self)
        self._namespace_uid = ObjectUid(made["metadata"]["uid"])
        role = self.cluster.kernel_cluster_role
        if role:
            binding = make_role_binding(kernel, role, service_account)
            await create_once(self.cluster, ROLE_BINDINGS, binding, kernel, self)

    async def see(self) -> Sighting:
        """See the base class."""
        if not self.may_be_there:
            return dead("no pod of this kernel was ever asked for")
        name, namespace = self._place
        pod = await self.cluster.get(PODS, namespace, name)
        self.remember(pod)
        self.remember_pod(pod)
        sighting = pod_sighting(pod, uid=str(self._uid or ""), launch=self._launch)
        return await self.with_events(sighting, pod)

    async def with_events(self, sighting: Sighting, pod: Mapping[str, Any] | None) -> Sighting:
        """The same, and what the pod's events say while its container is made."""
        if pod is None or sighting.phase not in EVENTFUL:
            return sighting
        name, uid = ObjectName(pod["metadata"]["name"]), ObjectUid(pod["metadata"]["uid"])
        return with_events(sighting, await self.cluster.events(self._place[1], name, uid))

    @property
    def _place(self) -> tuple[ObjectName, ObjectName]:
        """The name of our object and its namespace, as `plan` decided."""
        if self._name is None or self._namespace is None:
            raise RuntimeError("a launch that was not planned has no name in the cluster")
        return self._name, self._namespace

    def remember(self, found: Mapping[str, Any] | None) -> None:
        """Notes which version of our object was seen."""
        self._version = None if found is None else found["metadata"].get("resourceVersion")

    def remember_pod(self, pod: Mapping[str, Any] | None) -> None:
        """Notes where the agent's output is."""
        if pod is not None:
            self._container = pod["spec"]["containers"][0]["name"]

    async def remove(self, *, as_seen: bool) -> bool:
        """See the base class."""
        name, namespace = self._place
        version = self._version if as_seen else None
        if not await self._remove(self.RESOURCE, name, self._uid, version):
            return False
        if self._own_namespace:
            return await self._remove(NAMESPACES, namespace, self._namespace_uid, None)
        return True

    async def _remove(
        self, resource: Resource, name: ObjectName, uid: ObjectUid | None, version: str | None
    ) -> bool:
        # Between a claim and its labels the pod has those of the pool.
        ours = Ours(self._launch, frozenset({self.kernel_id, self._labeled_as}), uid)
        try:
            return await remove_object(
                self.cluster, resource, self._place[1], name, ours, version=version
            )
        except NotOurs as other:
            self.log.warning("kernel %s: %s", self.kernel_id, other)
            return version is None

    async def output(self) -> str:
        """See the base class."""
        pod = self.pod_name
        if not self._container or pod is None:
            return ""
        return await self.cluster.log(self._place[1], pod, self._container)

    @property
    def pod_name(self) -> ObjectName | None:
        """The pod in which the agent is; None while it is not known."""
        return self._name

    def get_process_info(self) -> dict[str, Any]:
        """What another gateway needs to find, look at and end it."""
        return {
            **super().get_process_info(),
            "namespace": str(self._namespace or ""),
            "name": str(self._name or ""),
            "uid": str(self._uid or ""),
            "launch": self._launch,
            "own_namespace": self._own_namespace,
            "namespace_uid": str(self._namespace_uid or ""),
            "kernel_id": self._labeled_as,
        }

    def load_process_info(self, process_info: dict[str, Any]) -> None:
        """The opposite of `get_process_info`."""
        super().load_process_info(process_info)
        self._namespace = ObjectName(process_info["namespace"])
        self._name = ObjectName(process_info["name"])
        self._uid = _uid(process_info["uid"])
        self._launch = process_info["launch"]
        self._own_namespace = process_info["own_namespace"]
        self._namespace_uid = _uid(process_info["namespace_uid"])
        # Gateways of before did not claim kernels from pools.
        self._labeled_as = process_info.get("kernel_id") or self.kernel_id


def _uid(text: str) -> ObjectUid | None:
    return ObjectUid(text) if text else None
