"""How many kernels may be started."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import kernel, lock
from jupyter_ext.platform.counted import counted

STARTS = "starts"
"""The row of `fleet_lock` that starts hold where limits are set."""


@dataclass(frozen=True)
class Limits:
    """How many kernels there may be at once at all gateways together; None for any number."""

    kernels: int | None = None
    kernels_per_user: int | None = None


NO_LIMITS = Limits()


class LimitReached(Exception):
    """A start would exceed a limit; the text says which one."""


def check_limits(connection: Connection, limits: Limits, username: str) -> None:
    """Raises LimitReached if the user may not start another kernel."""
    if limits.kernels is None and limits.kernels_per_user is None:
        return
    # One start after the other, at all gateways: two may not both take the last place.
    connection.execute(select(lock.c.name).where(lock.c.name == STARTS).with_for_update())
    # A dead kernel without an agent is only an entry in the list.
    # Those in a pool are nobody's, and have a limit of their own.
    at_work = (kernel.c.state != KernelState.DELETED.value) & kernel.c.pool.is_(None)
    at_work &= (kernel.c.state != KernelState.DEAD.value) | kernel.c.owner.is_not(None)
    count = select(func.count()).select_from(kernel).where(at_work)
    if limits.kernels is not None:
        kernels = connection.execute(count).scalar_one()
        if kernels >= limits.kernels:
            raise LimitReached(
                f"the fleet runs {counted(kernels, 'kernel')}, and no more than {limits.kernels} "
                "may run at once: end one, or ask for a higher max_kernels"
            )
    if limits.kernels_per_user is not None:
        kernels = connection.execute(count.where(kernel.c.username == username)).scalar_one()
        if kernels >= limits.kernels_per_user:
            raise LimitReached(
                f"{username} has {counted(kernels, 'kernel')}, and the limit for each user is "
                f"{limits.kernels_per_user}: end one of them first"
            )
