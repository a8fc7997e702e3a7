"""`python -m gateway_ext.agent.walls.program`: builds walls, and starts a program inside.

For restarts and for kernels that are not forked. Standard input is the socket on which the order
comes. It runs no file of the kernel's people: its environment is the agent's.
"""

from __future__ import annotations

import os
import signal
import socket

from .first_process import wait_for_order


def main() -> None:
    """Receive the order, go inside and become the kernel's program."""
    control = socket.socket(fileno=os.dup(0))
    order, report = wait_for_order(control, announced=lambda: None)
    if report is None:
        os._exit(1)
    # As subprocess does.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(order.cwd)
        os.execvpe(order.argv[0], list(order.argv), order.environment)  # noqa: S606
    except OSError as error:
        report.failed(error)


if __name__ == "__main__":
    main()
