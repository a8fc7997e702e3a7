"""`python -m gateway_ext.agent.python_kernel`: ipykernel that drops nothing of what it prints,
with the magics of `kernel_tools`.

A publishing ZMQ socket throws away what a subscriber has not taken when 1000 messages wait, which a
cell that prints in a loop reaches on a machine with more to do. Only the kernel's end can be told
otherwise. Nothing grows by it for long: the agent always reads.
"""

import os
import sys

# As ipykernel_launcher: people's files must not shadow what the kernel imports. IPython puts the
# working directory back before the first cell.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

import zmq
from ipykernel.kernelapp import IPKernelApp

_EXTENSIONS = ("gateway_ext.kernel_tools.pip_magic",)


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
