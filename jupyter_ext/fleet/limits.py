"""Limits that an operator sets for all kernels of a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_ext.fleet.failure import FleetError

LIMITS = (
    "max_kernels",
    "max_kernels_per_user",
    "kernel_memory",
    "cull_idle",
    "cull_warning",
)
"""Names of the settings."""
UNLIMITED_BY_0 = LIMITS[:-1]
"""Those that a person takes back by 0."""

LEAST_MEMORY = 100 * 2**20
LEAST_IDLE_SECONDS = 20
_CULL_INTERVAL = 5


def check_limits(limits: Mapping[str, int | None]) -> None:
    """Raises `FleetError` for a limit under which nobody could work."""
    for name, value in limits.items():
        if value is not None and value < 0:
            raise FleetError(f"{option(name)} {value}: give a number above 0, or 0 for no limit")
    memory, idle = limits.get("kernel_memory"), limits.get("cull_idle")
    if memory and memory < LEAST_MEMORY:
        raise FleetError(f"--kernel-memory {memory}: a kernel needs {LEAST_MEMORY} bytes to start")
    if idle and idle < LEAST_IDLE_SECONDS:
        raise FleetError(f"--cull-idle {idle}: give at least {LEAST_IDLE_SECONDS} seconds")


def option(name: str) -> str:
    """The option of `up` for a setting."""
    return f"--{name.replace('_', '-')}"


def gateway_limits(limits: Mapping[str, int | None]) -> dict[str, dict[str, Any]]:
    """The part of a gateway's configuration that the limits make."""
    app = {
        name: limits[name]
        for name in ("max_kernels", "max_kernels_per_user", "kernel_memory")
        if limits.get(name)
    }
    culling: dict[str, Any] = {}
    if limits.get("cull_idle"):
        culling = {
            "cull_idle_timeout": limits["cull_idle"],
            # A page is warned first; without that the kernels of open pages would stay for ever.
            "cull_connected": True,
            "cull_interval": _CULL_INTERVAL,
        }
        if limits.get("cull_warning") is not None:
            culling["cull_warning_seconds"] = limits["cull_warning"]
    return {"FleetGatewayApp": app, "FleetMappingKernelManager": culling}
