"""A websocket lives no longer than the login it was opened with."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

log = logging.getLogger(__name__)

RECHECK_SECONDS = 10.0
"""How long a websocket may stay open after the key of its token was removed."""


@dataclass(frozen=True)
class SocketEnd:
    """Why a websocket ends."""

    reason: str
    signed_in: bool = False
    """Whether the login is good, and only the right to use this websocket is gone."""


class SocketLogin:
    """Watches the login behind one open websocket.

    `on_end` is called once, on the event loop: when the token expires, or within `RECHECK_SECONDS`
    after its key was removed, or after `ask` says a reason why the login has ended, or the caller
    has lost the role in the project that `needs` names. It is not called after `stop()`.
    """

    def __init__(
        self,
        identity: Identity,
        verifier: TokenVerifier,
        on_end: Callable[[SocketEnd], None],
        *,
        needs: tuple[str, Role] | None = None,
        ask: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.identity = identity
        """The caller, as the token was last understood."""
        self._verifier = verifier
        self._on_end = on_end
        self._needs = needs
        self._ask = ask
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._schedule()

    def stop(self) -> None:
        """Stop watching: the websocket has closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()

    def _schedule(self) -> None:
        left = max(0.0, self.identity.expires - time.time())
        self._timer = asyncio.get_running_loop().call_later(min(left, RECHECK_SECONDS), self._check)

    def _check(self) -> None:
        self._timer = None
        try:
            self.identity = self._verifier.verify(self.identity.token)
        except TokenError as error:
            self._on_end(SocketEnd(str(error)))
            return
        if self._needs is not None and not self.identity.may(*self._needs):
            project, role = self._needs
            self._on_end(SocketEnd(f"you no longer have the role {role} in {project}", True))
            return
        if self._ask is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.ensure_future(self._end_if_told(self._ask))
        self._schedule()

    async def _end_if_told(self, ask: Callable[[], Awaitable[str]]) -> None:
        try:
            reason = await ask()
        except Exception:
            # The websocket goes on, to the end of its token at the latest.
            log.exception("whether a websocket's login goes on cannot be asked")
            return
        # Whatever else has ended it meanwhile has said so.
        if reason and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._on_end(SocketEnd(reason))
