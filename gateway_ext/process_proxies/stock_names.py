"""Which process proxy takes the place of which of Enterprise Gateway's."""

from gateway_ext.process_proxies.agent_process import KernelspecUnusable

DEFAULT_PROXY = "gateway_ext.process_proxies.local.LocalAgentProxy"

_STOCK = "enterprise_gateway.services.processproxies."

_REPLACED = {
    "k8s.KubernetesProcessProxy": "gateway_ext.process_proxies.kubernetes_pod.KubernetesAgentProxy",
    "spark_operator.SparkOperatorProcessProxy": "gateway_ext.process_proxies.spark_operator."
    "SparkOperatorAgentProxy",
    "yarn.YarnClusterProcessProxy": "gateway_ext.process_proxies.yarn.YarnAgentProxy",
}

_NOT_REPLACED = {
    "processproxy.LocalProcessProxy": "its kernels end with their gateway: leave out "
    f"metadata.process_proxy, or name {DEFAULT_PROXY}, which starts an agent on this machine",
    "distributed.DistributedProcessProxy": "kernels on hosts that are reached by ssh are not "
    "supported: run gateways on those hosts, or use Kubernetes or YARN's cluster mode",
    "docker_swarm.DockerSwarmProcessProxy": "Docker Swarm is not supported: use "
    "gateway_ext.process_proxies.kubernetes_pod.KubernetesAgentProxy",
    "docker_swarm.DockerProcessProxy": "Docker is not supported: use "
    "gateway_ext.process_proxies.kubernetes_pod.KubernetesAgentProxy",
    "conductor.ConductorClusterProcessProxy": "IBM Spectrum Conductor is not supported: use "
    "gateway_ext.process_proxies.yarn.YarnAgentProxy or the Spark operator's",
    "crd.CustomResourceProcessProxy": "it does not say which custom resource it needs: use "
    "gateway_ext.process_proxies.spark_operator.SparkOperatorAgentProxy",
}


def our_proxy(class_name: str) -> str:
    """The class that a kernelspec's class name means here: itself, unless it is one of Enterprise
    Gateway's. Raises KernelspecUnusable for those that have no replacement."""
    name = class_name.removeprefix(_STOCK)
    if name == class_name:
        return class_name
    if name in _NOT_REPLACED:
        raise KernelspecUnusable(
            f"the kernelspec names the process proxy {class_name}, which starts no agent: "
            f"{_NOT_REPLACED[name]}"
        )
    return _REPLACED.get(name, class_name)
