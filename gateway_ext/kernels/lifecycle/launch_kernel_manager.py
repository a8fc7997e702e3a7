"""The kernel manager around a process proxy, and which proxy a kernelspec names."""

from typing import Any

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
)
from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]
from traitlets.utils.importstring import import_item

from gateway_ext.kernels.refusal import Refusal
from gateway_ext.process_proxies.agent_process import AgentProcessProxy, KernelspecUnusable
from gateway_ext.process_proxies.stock_names import DEFAULT_PROXY, our_proxy

_WHERE = "metadata.process_proxy in the kernel.json of the kernelspec"


def agent_proxy_class(class_name: str) -> type[AgentProcessProxy]:
    """The class of that name, or the one that takes its place; raises Refusal (400) if it starts
    no agents."""
    try:
        proxy_class = import_item(our_proxy(class_name))
    except KernelspecUnusable as error:
        raise Refusal(400, str(error)) from error
    except ImportError as error:
        raise Refusal(400, f"the process proxy {class_name} cannot be loaded: {error}") from error
    if not (isinstance(proxy_class, type) and issubclass(proxy_class, AgentProcessProxy)):
        raise Refusal(
            400,
            f"the kernelspec names the process proxy {class_name}, which starts no agent: "
            f"it needs a process proxy of gateway_ext, for example {DEFAULT_PROXY}",
        )
    return proxy_class


def proxy_stanza(spec: KernelSpec) -> tuple[str, dict[str, Any]]:
    """The process proxy that a kernelspec names and its configuration; ours if it names none.
    Raises Refusal (400) if it is not written as Enterprise Gateway wants it."""
    stanza = spec.metadata.get("process_proxy") or {}
    if not isinstance(stanza, dict):
        raise Refusal(400, f"{_WHERE} must be an object with class_name and config")
    class_name, config = stanza.get("class_name") or DEFAULT_PROXY, stanza.get("config") or {}
    if not isinstance(class_name, str):
        raise Refusal(400, f"{_WHERE}.class_name must be a text: the name of a class")
    if not isinstance(config, dict):
        raise Refusal(400, f"{_WHERE}.config must be an object")
    return class_name, dict(config)


class LaunchKernelManager(RemoteKernelManager):
    """What Enterprise Gateway's process proxies expect of a kernel manager, for one launch.

    It starts, watches and restarts nothing: the agent does.
    """

    def proxy(self, class_name: str, config: dict[str, Any]) -> AgentProcessProxy:
        """The process proxy of that name; raises Refusal (400) if it starts no agents."""
        proxy = agent_proxy_class(class_name)(kernel_manager=self, proxy_config=config)
        self.process_proxy = proxy
        return proxy

    def forget(self) -> None:
        """Unlinks the app's traits, which would otherwise keep this object alive forever."""
        for link in self._links:
            link.unlink()
