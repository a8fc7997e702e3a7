"""Ids of kernels in the addresses of calls."""

import uuid

from gateway_ext.kernels.refusal import Refusal


def check_kernel_id(kernel_id: str) -> str:
    """Returns the id if it is one; raises Refusal (400)."""
    try:
        if str(uuid.UUID(kernel_id)) == kernel_id:
            return kernel_id
    except ValueError:
        pass
    raise Refusal(400, f"{kernel_id!r} is not a kernel id: it must be a UUID in lower case")
