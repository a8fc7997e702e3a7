"""Kernels for tests of what is stored about them."""

import uuid
from datetime import UTC, datetime

from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.observations import Observation
from gateway_ext.ownership.states import KernelState

KEY = b"k" * 32


def new_kernel(**changes: object) -> NewKernel:
    values: dict[str, object] = {
        "kernel_id": str(uuid.uuid4()),
        "project": "demo",
        "path": "demo/nötbook.ipynb",
        "username": "ada",
        "kernel_name": "python",
        "environment": {"KERNEL_SECRET": "hush"},
    }
    return NewKernel(**{**values, **changes})  # type: ignore[arg-type]


async def launched(records: KernelRecords) -> str:
    new = new_kernel()
    assert await records.insert_launching(new, KEY) is not None
    return new.kernel_id


def observation(kernel_id: str, epoch: int, state: KernelState | None) -> Observation:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    return Observation(kernel_id, epoch, state, "busy", 2, moment, "why")
