"""`python -m gateway_ext.agent.python_kernel`: ipykernel that loses no output, with the magics of
`kernel_tools`.

A ZMQ PUB socket drops messages when 1000 wait for a subscriber, and a cell that prints in a loop
reaches that on a busy machine. The limit can be removed only in the kernel. Its memory does not
grow: the agent always reads, and what prints faster than that waits (`output_credit`).
"""

import functools
import os
import sys
from pathlib import Path

# As ipykernel_launcher: users' files must not shadow what the kernel imports. IPython puts the
# working directory back before the first cell.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

import zmq
from ipykernel import kernelapp
from ipykernel.iostream import OutStream

from .ending_kernel import begin_no_cell_at_the_end
from .kept_output import keep_no_output
from .output_credit import Credit, PacedIOPubThread, credit_from_environment, pace
from .text_packer import packer
from .written_output import record
from .written_region import FILE_NAME, WrittenRegion, mapped_by_kernel

_EXTENSIONS = (
    "gateway_ext.kernel_tools.pip_magic",
    "gateway_ext.kernel_tools.fleet_magic",
    "gateway_ext.kernel_tools.network_words",
    "gateway_ext.kernel_tools.altair_charts",
)


class FleetKernelApp(kernelapp.IPKernelApp):
    """ipykernel's application, its iopub socket without a limit, with our extensions."""

    credit: Credit | None = None

    def init_iopub(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Bind iopub with no limit to what waits for the agent: credit is the limit."""
        context.setsockopt(zmq.SNDHWM, 0)
        self.credit = credit_from_environment()
        if self.credit is not None:
            # Beside the sockets of the channels, whose paths end with 1 to 5.
            forks_at = Path(f"{self.ip}-6") if self.transport == "ipc" else None
            thread = functools.partial(PacedIOPubThread, credit=self.credit, forks_at=forks_at)
            kernelapp.IOPubThread = thread  # type: ignore[misc, assignment]
        super().init_iopub(context)

    def init_io(self) -> None:
        """Redirect output, which waits for credit, outlives this process and may have any text."""
        self.session.pack = packer(self.session.pack)
        super().init_io()
        if self.credit is None:
            return
        mapped = mapped_by_kernel(self.credit.path.with_name(FILE_NAME))
        for stream in (sys.stdout, sys.stderr):
            # People may have configured other streams.
            if mapped is not None and isinstance(stream, OutStream):
                record(stream, WrittenRegion(mapped, stream.name))
            pace(stream, self.credit)  # type: ignore[arg-type]

    def init_kernel(self) -> None:
        """Make the kernel, which begins no cell once it is being ended."""
        super().init_kernel()
        if self.credit is not None:
            begin_no_cell_at_the_end(self.kernel, self.credit)

    def init_extensions(self) -> None:
        """Load ours after those that people have configured."""
        super().init_extensions()
        assert self.shell is not None  # noqa: S101 - for the type checker
        keep_no_output(self.shell)
        for name in _EXTENSIONS:
            self.shell.extension_manager.load_extension(name)


if __name__ == "__main__":
    FleetKernelApp.launch_instance()
