"""Work on several kernels, where one failure does not stop the rest."""

import asyncio
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


async def each_side_by_side(
    kernels: Iterable[OfKernelT],
    act: Callable[[OfKernelT], Awaitable[None]],
    at_once: int,
    log: logging.Logger,
) -> None:
    """The same for `at_once` kernels at a time: a cluster that is slow to answer for one of them
    does not hold up those of another cluster. With DatabaseUnavailable, which is raised, no more
    are begun."""
    places = asyncio.Semaphore(at_once)
    away: list[DatabaseUnavailable] = []

    async def one(kernel: OfKernelT) -> None:
        async with places:
            if away:
                return
            try:
                await each([kernel], act, log)
            except DatabaseUnavailable as error:
                away.append(error)

    await asyncio.gather(*map(one, kernels))
    if away:
        raise away[0]
