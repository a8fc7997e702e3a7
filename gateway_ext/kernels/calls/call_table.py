"""All calls that kernels may make, by name."""

from collections.abc import Mapping

from gateway_ext.kernels.calls.kernel_call import KernelCall
from gateway_ext.kernels.calls.launch_details import launch_details

_NO_ARGUMENTS = {"type": "object", "additionalProperties": False}

_CALLS = (
    KernelCall(
        "launch-details",
        arguments=_NO_ARGUMENTS,
        longest=1024,
        seconds=20.0,
        idempotent=True,
        handler=launch_details,
    ),
)

CALLS: Mapping[str, KernelCall] = {call.name: call for call in _CALLS}
