"""``jupyter fleet revoke``: what the demo platform does to take tokens back."""

from __future__ import annotations

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.revocations import Revoked
from jupyter_ext.wire.routes import REVOCATIONS_ROUTE


def revoke(data_dir: DataDir, settings: Settings, kind: Revoked, name: str) -> None:
    """Tell the fleet; raises `FleetError` if no lab has taken it."""
    signed = SecretFiles(data_dir.secrets).signer().sign_revocation(kind, name)
    try:
        call("POST", settings.url() + REVOCATIONS_ROUTE, body={"revocation": signed})
    except CallFailed as error:
        raise FleetError(f"nothing was revoked ({error}): try again when the fleet runs") from error
