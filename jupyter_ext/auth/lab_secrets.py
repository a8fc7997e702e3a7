"""What the secrets that all labs share are used for."""

from __future__ import annotations

from typing import cast

from tornado import web

from jupyter_ext.platform.kernel_tickets import KernelTickets
from jupyter_ext.platform.shared_secrets import SharedSecrets

SETTING = "fleet_shared_secrets"


def secrets_of(handler: web.RequestHandler) -> tuple[bytes, ...]:
    """The secrets that all labs share, the newest one first."""
    own = handler.settings["cookie_secret"]
    own = own.encode() if isinstance(own, str) else cast(bytes, own)
    shared: SharedSecrets = handler.settings[SETTING]
    return shared.all(own)


def tickets_of(handler: web.RequestHandler) -> KernelTickets:
    """Issues and checks tickets of kernels."""
    return KernelTickets(*secrets_of(handler))
