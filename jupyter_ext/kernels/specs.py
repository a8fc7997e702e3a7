"""Kernel specs as the gateways have them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.utils import url_path_join
from tornado import web
from traitlets import Float, Instance, default

from jupyter_ext.kernels.gateway_client import FleetGatewayClient
from jupyter_ext.kernels.launch_rules import LaunchRules


class FleetKernelSpecManager(KernelSpecManager):
    """Kernel specs of the fleet, the same in every lab, whatever is installed on its machine."""

    fresh_seconds = Float(10.0, config=True, help="Seconds for which kernel specs are cached.")
    gateways = Instance(FleetGatewayClient)

    @default("gateways")
    def _default_gateways(self) -> FleetGatewayClient:
        return FleetGatewayClient(parent=self)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._specs: dict[str, Any] | None = None
        self._asked_at = 0.0
        self.launch_rules = LaunchRules(self.gateways, self.fresh_seconds)

    async def get_all_specs(self) -> dict[str, Any]:  # type: ignore[override]
        """`{name: {"name", "spec", "resources"}}`; the cached ones while no gateway answers."""
        document = await self._document()
        specs: dict[str, Any] = document.get("kernelspecs", {})
        base_url = getattr(self.parent, "base_url", "/")
        return {name: with_own_urls(spec, base_url) for name, spec in specs.items()}

    async def get_kernel_spec(self, kernel_name: str) -> dict[str, Any]:  # type: ignore[override]
        """One of `get_all_specs`, also by another name that a kernel can be started by; raises
        KeyError, as the handlers expect."""
        specs = await self.get_all_specs()
        if kernel_name not in specs:
            return specs[await self._meant_name(kernel_name)]
        return specs[kernel_name]

    async def _meant_name(self, kernel_name: str) -> str:
        path = f"/api/kernelspecs/{quote(kernel_name, safe='')}"
        try:
            name: str = (await self.gateways.call("GET", path))["name"]
        except web.HTTPError as error:
            if error.status_code == 404:
                raise KeyError(kernel_name) from error
            raise
        return name

    async def get_kernel_spec_resource(self, kernel_name: str, path: str) -> bytes:
        """A logo or script of a kernel spec; raises HTTPError, 404 for an invalid path."""
        if not is_resource(path) or kernel_name not in await self.get_all_specs():
            raise web.HTTPError(404, f"kernel spec {kernel_name!r} has no {path!r}")
        return await self.gateways.call_raw(f"/kernelspecs/{quote(kernel_name)}/{quote(path)}")

    async def default_name(self) -> str:
        """The name of the default kernel spec."""
        return default_of(await self._document())

    async def _document(self) -> dict[str, Any]:
        if self._specs is None or time.monotonic() - self._asked_at > self.fresh_seconds:
            try:
                self._specs = await self.gateways.call("GET", "/api/kernelspecs")
                self._asked_at = time.monotonic()
            except web.HTTPError:
                if self._specs is None:
                    raise
        return self._specs or {}


def is_resource(path: str) -> bool:
    """Whether `path` can be that of a file in a kernel spec's folder."""
    printable = path.isprintable() and "\\" not in path
    return printable and all(part not in ("", ".", "..") for part in path.split("/"))


def default_of(document: dict[str, Any]) -> str:
    """The gateways' default, or the first spec if they name one that they do not have."""
    names = sorted(document.get("kernelspecs", {}))
    default: str = document.get("default", "")
    return default if default in names or not names else names[0]


def with_own_urls(spec: dict[str, Any], base_url: str) -> dict[str, Any]:
    """The spec with its resources at this lab's address instead of the gateway's."""
    resources = {
        name: url_path_join(base_url, "kernelspecs", url.split("/kernelspecs/", 1)[-1])
        for name, url in spec.get("resources", {}).items()
    }
    return {**spec, "resources": resources}
