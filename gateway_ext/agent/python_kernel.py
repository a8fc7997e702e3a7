"""`python -m gateway_ext.agent.python_kernel`: ipykernel that loses no output, with the magics of
`kernel_tools`.

A ZMQ PUB socket drops messages when 1000 wait for a subscriber, and a cell that prints in a loop
reaches that on a busy machine. The limit can be removed only in the kernel. Memory does not grow
for long, because the agent always reads.
"""

import os
import sys

# As ipykernel_launcher: users' files must not shadow what the kernel imports. IPython puts the
# working directory back before the first cell.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

import zmq
from ipykernel.kernelapp import IPKernelApp

_EXTENSIONS = (
    "gateway_ext.kernel_tools.pip_magic",
    "gateway_ext.kernel_tools.fleet_magic",
)


class FleetKernelApp(IPKernelApp):
    """ipykernel's application, its iopub socket without a limit, with our extensions."""

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind iopub with no limit to what waits for the agent."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)

    def init_extensions(self) -> None:
        """Load ours after those that people have configured."""
        super().init_extensions()
        assert self.shell is not None  # noqa: S101 - for the type checker
        for name in _EXTENSIONS:
            self.shell.extension_manager.load_extension(name)


if __name__ == "__main__":
    FleetKernelApp.launch_instance()
