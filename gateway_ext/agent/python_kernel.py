"""`python -m gateway_ext.agent.python_kernel`: ipykernel that drops nothing of what it prints.

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


class UnlimitedKernelApp(IPKernelApp):
    """ipykernel's application, its iopub socket without a limit."""

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind iopub with no limit to what waits for the agent."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)


if __name__ == "__main__":
    UnlimitedKernelApp.launch_instance()
