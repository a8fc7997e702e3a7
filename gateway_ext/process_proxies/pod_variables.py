"""The variables of a pod's template that the client has not set."""

from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster


def complete_variables(
    env: dict[str, str],
    kernelspec: Mapping[str, Any],
    config: Mapping[str, Any],
    cluster: KubernetesCluster,
) -> None:
    """Adds to `env` what the kernelspec's `env`, else the `config` of its process proxy, else the
    cluster's configuration says. Raises LaunchFailed if nobody names an image."""
    spec = {
        name: str(value)
        for name, value in (kernelspec.get("env") or {}).items()
        if name.startswith("KERNEL_")
    }
    for name, value in {
        "KERNEL_IMAGE": config.get("image_name") or cluster.image,
        "KERNEL_SERVICE_ACCOUNT_NAME": cluster.service_account,
        **spec,
    }.items():
        env.setdefault(name, value)
    env.setdefault(
        "KERNEL_EXECUTOR_IMAGE",
        config.get("executor_image_name") or cluster.executor_image or env["KERNEL_IMAGE"],
    )
    if not env["KERNEL_IMAGE"]:
        raise LaunchFailed(
            "no image is named for this kernel: set metadata.process_proxy.config.image_name "
            "in its kernel.json, or KubernetesCluster.image"
        )
    if not cluster.mirror_working_dirs:
        env.pop("KERNEL_WORKING_DIR", None)
