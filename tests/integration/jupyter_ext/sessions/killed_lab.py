"""A lab that is killed after a number of steps."""

from typing import Any

from jupyter_ext.sessions.manager import FleetSessionManager


class Killed(BaseException):
    """The lab's process is gone: what it was about to do it does not do, then or later."""


def kill_at(lab: FleetSessionManager, step: int) -> None:
    """Lets the lab do so many steps (transactions, calls of gateways), then nothing more."""
    left = [step]

    def mortal(function: Any) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return await function(*arguments, **named)

        return call

    lab.run = mortal(lab.run)  # type: ignore[method-assign]
    for name in ("launch", "kernel_model", "shutdown_kernel"):
        setattr(lab.kernel_manager, name, mortal(getattr(lab.kernel_manager, name)))
