"""Work on kernels one after the other, where one failure does not stop the rest."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from jupyter_ext.database.engine import DatabaseUnavailable


class _OfKernel(Protocol):
    @property
    def kernel_id(self) -> str: ...


OfKernelT = TypeVar("OfKernelT", bound=_OfKernel)


async def each(
    kernels: Iterable[OfKernelT],
    act: Callable[[OfKernelT], Awaitable[None]],
    log: logging.Logger,
) -> None:
    """Awaits `act` for one kernel after the other. Logs an exception and continues with the next
    kernel, except for DatabaseUnavailable, which is raised."""
    for kernel in kernels:
        try:
            await act(kernel)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("kernel %s: failed; the others go on", kernel.kernel_id)
