"""A kernel that is being ended begins no other cell.

The interrupt that ends its running cell would otherwise let it take the next one from its queue
before it reads the request to shut down.
"""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel

from .output_credit import Credit


def begin_no_cell_at_the_end(kernel: IPythonKernel, credit: Credit) -> None:
    """Abort the requests that the kernel takes once its agent is ending it, as ipykernel does after
    an error."""
    execute = kernel.shell_handlers["execute_request"]

    async def unless_ending(stream: Any, identities: Any, request: dict[str, Any]) -> None:
        if credit.is_ending:
            kernel._send_abort_reply(stream, request, identities)
        else:
            await execute(stream, identities, request)

    kernel.shell_handlers["execute_request"] = unless_ending
