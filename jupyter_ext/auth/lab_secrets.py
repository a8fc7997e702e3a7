"""What the secrets that all labs share are used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from tornado import web

from jupyter_ext.platform.kernel_tickets import KernelTickets
from jupyter_ext.platform.shared_secrets import SharedSecrets

SETTING = "fleet_shared_secrets"


def secrets_of(handler: web.RequestHandler) -> tuple[bytes, ...]:
    """The secrets that all labs share, the newest one first."""
    return secrets_in(handler.settings)


def secrets_in(settings: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The same, from the settings of the lab's application."""
    own = settings["cookie_secret"]
    own = own.encode() if isinstance(own, str) else cast(bytes, own)
    shared: SharedSecrets = settings[SETTING]
    return shared.all(own)


def tickets_of(handler: web.RequestHandler) -> KernelTickets:
    """Issues and checks tickets of kernels."""
    return KernelTickets(*secrets_of(handler))
