"""Signs notebooks, and checks which ones the caller of a request trusts."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from jupyter_ext.contents.body_threads import BodyThreads
from jupyter_ext.contents.errors import BadInput
from jupyter_ext.contents.notary import FleetNotary

T = TypeVar("T")


class Signing:
    """Computes signatures on the threads for bodies, and uses the notary's store on one thread.

    `size` is that of the notebook's body in bytes, None if unknown.
    """

    def __init__(self, threads: BodyThreads, make_notary: Callable[[], FleetNotary]) -> None:
        self._threads = threads
        self._make_notary = make_notary
        self._notary: FleetNotary | None = None
        # One thread: the stock store of signatures is an SQLite connection, bound to its thread.
        self._store_thread = ThreadPoolExecutor(1, thread_name_prefix="fleet-sign")

    async def show(self, notebook: Any, size: int | None) -> None:
        """Prepares a stored notebook for the caller's page."""
        notary = await self._made_notary()
        digests = await self._threads.run(lambda: notary.digests(notebook), size)
        trust = await self._ask_store(lambda: notary.trust_of(digests))
        await self._threads.run(lambda: notary.show(notebook, trust), size)

    async def sign(self, notebook: Any, size: int | None, *, widgets_seen: bool) -> bool:
        """Signs what a page saves if the page trusts every cell; returns whether it does.

        Raises BadInput for an invalid notebook. `widgets_seen` as in `FleetNotary.to_sign`.
        """
        notary = await self._made_notary()
        try:
            signature = await self._threads.run(
                lambda: notary.to_sign(notebook, widgets_seen=widgets_seen), size
            )
        except (AttributeError, KeyError, TypeError, UnicodeError, RecursionError) as error:
            raise BadInput(f"this is not a notebook: {error!r}") from error
        if signature is None:
            return False
        await self._ask_store(lambda: notary.remember(signature))
        return True

    async def trust(self, notebook: Any, size: int | None) -> None:
        """Signs a stored notebook for a caller who trusts all of it."""
        notary = await self._made_notary()
        signature = await self._threads.run(lambda: notary.to_trust(notebook), size)
        await self._ask_store(lambda: notary.remember(signature))

    async def _ask_store(self, function: Callable[[], T]) -> T:
        """Runs a function on the notary's thread for the caller of this request, because each user
        has their own trust."""
        run = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, run, function)

    async def _made_notary(self) -> FleetNotary:
        """The notary, created on its store's thread, with its secret loaded."""
        if self._notary is None:

            def make() -> FleetNotary:
                notary = self._make_notary()
                # Otherwise several threads that find no secret would each create one.
                _ = notary.secret
                return notary

            self._notary = await self._ask_store(make)
        return self._notary
