"""`/api/kernelspecs/<name>`, for the names that kernels can be started by."""

from enterprise_gateway.services.kernelspecs.handlers import (  # type: ignore[import-untyped]
    KernelSpecHandler,
    kernel_name_regex,
)
from tornado.escape import url_escape, url_unescape

from gateway_ext.kernels.manager import FleetMappingKernelManager


class FleetKernelSpecHandler(KernelSpecHandler):
    """The stock handler, but a usual name of Python kernelspecs stands for ours, as when a kernel
    is started. The response has our name."""

    async def get(self, kernel_name: str) -> None:
        manager: FleetMappingKernelManager = self.settings["kernel_manager"]
        meant = await manager.meant_name(url_unescape(kernel_name))
        await super().get(url_escape(meant, plus=False))


kernelspec_handlers = [(rf"/api/kernelspecs/{kernel_name_regex}", FleetKernelSpecHandler)]
