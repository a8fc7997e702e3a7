"""What a client may not choose of a kernel's pod."""

import os
from collections.abc import Mapping

from tornado import web

GUARDED = (
    "KERNEL_NAMESPACE",
    "KERNEL_SERVICE_ACCOUNT_NAME",
    "KERNEL_VOLUMES",
    "KERNEL_VOLUME_MOUNTS",
    "KERNEL_UID",
    "KERNEL_GID",
    "KERNEL_RUN_AS_ROOT",
    "KERNEL_SPARKAPP_CONFIG_MAP",
)
"""Settings that can give access to other people's resources: see
    KubernetesCluster.client_settings."""


def refuse_guarded(asked: Mapping[str, str], allowed: list[str]) -> None:
    """Raises HTTPError (403) if a client asks for what it may not choose."""
    for name in GUARDED:
        if name in asked and name not in allowed:
            raise web.HTTPError(
                403,
                reason=f"{name} may not be chosen here: KubernetesCluster.client_settings of the "
                "gateways does not name it",
            )


def refuse_prohibited_ids(env: Mapping[str, str]) -> None:
    """Raises HTTPError (403) for a user or group id that Enterprise Gateway's EG_PROHIBITED_UIDS
    and EG_PROHIBITED_GIDS name (0 if they are not set), or that is no number."""
    for name, variable in (
        ("KERNEL_UID", "EG_PROHIBITED_UIDS"),
        ("KERNEL_GID", "EG_PROHIBITED_GIDS"),
    ):
        prohibited = os.environ.get(variable, "0").replace(" ", "").split(",")
        value = env.get(name)
        if value is not None and (not value.isdecimal() or str(int(value)) in prohibited):
            raise web.HTTPError(403, reason=f"{name} {value!r} is not allowed: see {variable}")
