"""`launch-details`: what a kernel is, for whom and with which options it was started."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from gateway_ext.ownership.records import KernelRecord


async def launch_details(record: KernelRecord, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The result of the call; `started` is an ISO 8601 time in UTC."""
    return {
        "kernel_id": record.kernel_id,
        "project": record.project,
        "path": record.path,
        "username": record.username,
        "kernel_name": record.kernel_name,
        "launch_options": dict(record.launch_options or {}),
        "owner": record.owner,
        "epoch": record.epoch,
        "started": record.created.astimezone(UTC).isoformat(timespec="seconds"),
    }
