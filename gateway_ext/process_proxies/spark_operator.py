"""Agents in the drivers of SparkApplications, which the Spark operator starts."""

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway_ext.process_proxies.agent_process import AgentLife, AgentStart
from gateway_ext.process_proxies.kernel_command import kernel_command
from gateway_ext.process_proxies.kubernetes_cluster import PODS, SPARK_APPLICATIONS, Resource
from gateway_ext.process_proxies.kubernetes_pod import KubernetesAgentProxy
from gateway_ext.process_proxies.manifests import KernelObjects, make_spark_application
from gateway_ext.process_proxies.option_labels import OptionLabels, option_labels
from gateway_ext.process_proxies.pod_status import pod_sighting
from gateway_ext.process_proxies.selectors import ObjectName
from gateway_ext.process_proxies.sighting import Sighting, dead, unknown
from gateway_ext.process_proxies.spark_application_status import (
    application_sighting,
    with_driver,
)
from gateway_ext.process_proxies.spark_options import (
    SPARK_APPLICATION_OPTIONS,
    with_spark_application_options,
)
from gateway_ext.process_proxies.template_rendering import find_template


class SparkOperatorAgentProxy(KubernetesAgentProxy):
    """An agent as the Python program of a SparkApplication (sparkoperator.k8s.io/v1beta2).

    The kernel is the agent's child and finds Spark's gateway in the environment: a session that it
    makes is the driver's.
    """

    RESOURCE: ClassVar[Resource] = SPARK_APPLICATIONS
    KIND: ClassVar[str] = "SparkApplication"
    TEMPLATE: ClassVar[str] = "sparkoperator.k8s.io-v1beta2.yaml.j2"
    # The operator hangs "-driver" and the like on it.
    LONGEST_NAME: ClassVar[int] = 50
    OPTIONS: ClassVar[frozenset[str]] = SPARK_APPLICATION_OPTIONS

    _driver: ObjectName | None = None

    @classmethod
    def check(cls, kernelspec: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """See the base class."""
        kernel_command(kernelspec, config, in_spark=True)
        find_template(kernelspec, config, cls.TEMPLATE)
        option_labels(kernelspec, "", "")

    def template_variables(
        self, start: AgentStart, environment: Mapping[str, str]
    ) -> dict[str, Any]:
        """See the base class. What Enterprise Gateway's launchers are told has no meaning here."""
        return {
            "spark_context_initialization_mode": "none",
            "eg_response_address": "",
            "eg_port_range": "",
            "eg_public_key": "",
            **super().template_variables(start, environment),
            "kernel_resource_name": str(self._name),
        }

    def with_options(
        self, template: Mapping[str, Any], options: Mapping[str, Any], labels: OptionLabels
    ) -> dict[str, Any]:
        """See the base class."""
        return with_spark_application_options(template, options, labels)

    def manifest(self, template: Mapping[str, Any], kernel: KernelObjects) -> dict[str, Any]:
        """See the base class."""
        return make_spark_application(template, kernel)

    def command(self, kernelspec: Mapping[str, Any]) -> list[str]:
        """See the base class."""
        return kernel_command(kernelspec, self.proxy_config, in_spark=True)

    async def see(self) -> Sighting:
        """See the base class."""
        if not self.may_be_there:
            return dead("no application of this kernel was ever asked for")
        name, namespace = self._place
        application = await self.cluster.get(SPARK_APPLICATIONS, namespace, name)
        self.remember(application)
        sighting = application_sighting(application, uid=str(self._uid or ""), launch=self._launch)
        status = (application or {}).get("status") or {}
        driver_name = (status.get("driverInfo") or {}).get("podName")
        self._driver = ObjectName(driver_name) if driver_name else None
        if sighting.life is not AgentLife.ALIVE or self._driver is None:
            return sighting
        pod = await self.cluster.get(PODS, namespace, self._driver)
        if pod is None:
            return with_driver(sighting, unknown("its driver's pod is not there"))
        self.remember_pod(pod)
        driver = pod_sighting(pod, uid=pod["metadata"]["uid"], launch=self._launch)
        return with_driver(sighting, await self.with_events(driver, pod))

    @property
    def pod_name(self) -> ObjectName | None:
        """See the base class."""
        return self._driver
