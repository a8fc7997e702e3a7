"""What the first of several equal servers says that answers."""

from __future__ import annotations

from typing import Any, Literal

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings


def first_answer(
    data_dir: DataDir,
    settings: Settings,
    role: Literal["gateway", "lab"],
    path: str,
    *,
    seconds: float,
) -> Any:
    """The response to a GET of the first server with this role that answers well, each within so
    many seconds; None if none does."""
    token = SecretFiles(data_dir.secrets).sign_service_token(role)
    names = settings.gateway_names if role == "gateway" else settings.lab_names
    for name in names:
        try:
            return call("GET", settings.url(name) + path, token, seconds)
        except CallFailed:
            # It may also be one of the version before.
            continue
    return None
