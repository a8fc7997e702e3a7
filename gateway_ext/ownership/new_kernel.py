"""What somebody asks for with a kernel, and how it is stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import null

from gateway_ext.ownership.states import KernelState
from jupyter_ext.platform.encryption import SecretBox
from jupyter_ext.platform.personal_kernels import holder_of


@dataclass(frozen=True)
class NewKernel:
    """What somebody asked for. `environment` is the client's part of the kernel's environment,
    `shown_options` the launch options without secrets, `shown_defaults` the defaults that whoever
    chose the options was shown, None if the client does not say."""

    kernel_id: str
    project: str
    path: str
    username: str
    kernel_name: str
    environment: Mapping[str, str]
    launch_options: Mapping[str, Any] = field(default_factory=dict)
    shown_options: Mapping[str, Any] = field(default_factory=dict)
    shown_defaults: Mapping[str, Any] | None = None
    personal: bool = False
    """Whether it is for this user alone."""
    by_service: bool = False
    """Whether one of the fleet's own servers asks for it."""
    prepared_by: tuple[str | None, ...] = ()
    """Who may have chosen what its processes do from their start on; None for unknown ones."""


@dataclass(frozen=True)
class Secrets:
    """The encrypted part of a record."""

    agent_key: bytes
    environment: Mapping[str, str]
    launch_options: Mapping[str, Any]
    prepared_by: tuple[str | None, ...] = ()


def encrypted_launch(box: SecretBox, new: NewKernel) -> str:
    """What a launch needs, as it is stored."""
    wanted: dict[str, Any] = {
        "environment": dict(new.environment),
        "prepared_by": list(new.prepared_by),
    }
    if new.launch_options:
        wanted["options"] = dict(new.launch_options)
    return box.encrypt(json.dumps(wanted).encode())


def decrypted_secrets(box: SecretBox, agent_key: str, launch: str) -> Secrets:
    """The opposite, and the agent's key; raises DecryptionError."""
    wanted = json.loads(box.decrypt(launch)) if launch else {}
    environment = wanted.get("environment", {})
    # Earlier gateways wrote none, and ignore them.
    options = wanted.get("options", {})
    # Nor did they write this: if anything was chosen, it is not known by whom.
    unsaid = [None] if environment or options else []
    prepared_by = tuple(wanted.get("prepared_by", unsaid))
    return Secrets(box.decrypt(agent_key), environment, options, prepared_by)


def begun_values(new: NewKernel, now: datetime) -> dict[str, Any]:
    """The values with which a record begins, wherever its agent comes from."""
    return {
        "kernel_id": new.kernel_id,
        "project": holder_of(new.project, new.username if new.personal else None),
        "personal_project": new.project if new.personal else None,
        "path": new.path,
        "username": new.username,
        "kernel_name": new.kernel_name,
        "state": KernelState.LAUNCHING.value,
        "launch_options": dict(new.shown_options) or null(),
        "execution_state": "starting",
        "connections": 0,
        "last_activity": now,
        "created": now,
        "changed": now,
        "reason": "",
    }
