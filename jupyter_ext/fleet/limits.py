"""Limits that an operator sets for all kernels of a fleet."""

from __future__ import annotations

from typing import Any

from jupyter_ext.fleet.settings import Settings

_CULL_INTERVAL = 5


def gateway_limits(settings: Settings) -> dict[str, dict[str, Any]]:
    """The part of a gateway's configuration that sets the limits; unlimited things are absent."""
    limits = {
        "max_kernels": settings.max_kernels,
        "max_kernels_per_user": settings.max_kernels_per_user,
        "kernel_memory": settings.kernel_memory,
        "launch_policy_file": settings.launch_policy,
    }
    culling: dict[str, Any] = {}
    if settings.cull_idle:
        culling = {
            "cull_idle_timeout": settings.cull_idle,
            # Pages are warned first; without this option kernels of open pages would stay forever.
            "cull_connected": True,
            "cull_interval": _CULL_INTERVAL,
            "cull_warning_seconds": settings.cull_warning,
        }
    return {
        "FleetGatewayApp": {name: value for name, value in limits.items() if value},
        "FleetMappingKernelManager": culling,
    }
