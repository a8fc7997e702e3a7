"""A websocket lives no longer than the login it was opened with."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from jupyter_ext.platform.revocations import Revocation, Revoked
from jupyter_ext.platform.rights import Rights, RightsAway
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

log = logging.getLogger(__name__)

RECHECK_SECONDS = 10.0
"""How long a websocket may stay open after the key of its token was removed."""
ASK_SECONDS = 3.0
"""How long the login is waited for when the token has ended."""

Ask = Callable[[], Awaitable["Identity | str | None"]]
"""What has become of a login: as whom it goes on now, perhaps with a newer token, or why it has
ended, or None if that cannot be told."""


@dataclass(frozen=True)
class SocketEnd:
    """Why a websocket ends."""

    reason: str
    status: int = 401
    """What a call would be answered now: 403 if the login is good, and only the right to use this
    websocket is gone, 503 if that cannot be told at the moment."""


class SocketLogin:
    """Watches the login behind one open websocket.

    `on_end` is called once, on the event loop: when the token expires, at once after a revocation,
    or within `RECHECK_SECONDS` after its key was removed, or after `ask` says a reason why the
    login has ended, or the caller has lost the role in the project that `needs` names. It is not
    called after `stop()`. If `ask` has a newer token, or `renew()` brings one, the websocket goes
    on with that, and `on_renewed` is called.
    """

    def __init__(
        self,
        identity: Identity,
        verifier: TokenVerifier,
        on_end: Callable[[SocketEnd], None],
        *,
        rights: Rights | None = None,
        needs: tuple[str, Role] | None = None,
        ask: Ask | None = None,
        on_renewed: Callable[[Identity], None] | None = None,
    ) -> None:
        self.identity = identity
        """The caller, as the token was last understood."""
        self._verifier = verifier
        self._on_end = on_end
        self._rights = rights
        self._needs = needs
        self._ask = ask
        self._on_renewed = on_renewed
        self._timer: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None
        self._renewed: Identity | None = None
        self._again = False
        self._stopped = False
        verifier.revocations.listeners.add(self._hear)
        self._schedule()

    def stop(self) -> None:
        """Stop watching: the websocket has closed."""
        self._stopped = True
        self._verifier.revocations.listeners.discard(self._hear)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._checking is not None:
            self._checking.cancel()

    def renew(self, token: str) -> None:
        """Go on with a newer token of the same person. Another one changes nothing."""
        try:
            renewed = self._verifier.verify(token)
        except TokenError as error:
            log.info("a renewed token is not accepted: %s", error)
            return
        if self._is_newer(renewed):
            self._renewed = renewed
            self._check()

    def _is_newer(self, token: Identity) -> bool:
        """Whether it is a newer token of the same person: one that ends later, or that was issued
        later, perhaps because roles of the other one were taken back."""
        mine = self.identity
        later = token.expires > mine.expires or token.issued > mine.issued
        if token.token == mine.token or not later:
            return False
        if (token.user, token.service) != (mine.user, mine.service):
            log.warning("a renewed token of %r is another person's", mine.user)
            return False
        return True

    def _schedule(self) -> None:
        left = max(0.0, self.identity.expires - time.time())
        self._timer = asyncio.get_running_loop().call_later(min(left, RECHECK_SECONDS), self._check)

    def _hear(self, revoked: Sequence[Revocation]) -> None:
        mine = self.identity
        named = {(Revoked.USER, mine.user), *((Revoked.PROJECT, one) for one in mine.projects)}
        if any((one.kind, one.name) in named for one in revoked):
            self._check()

    def _check(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._checking is not None and not self._checking.done():
            # What it has looked at may have changed since.
            self._again = True
        elif not self._stopped:
            self._checking = asyncio.ensure_future(self._check_once())

    async def _check_once(self) -> None:
        try:
            end = await self._find_end()
        except Exception:
            # The websocket goes on, to the end of its token at the latest.
            log.exception("whether a websocket's login goes on cannot be told")
            end = None
        if self._stopped:
            return
        if end is not None:
            self._checking = None
            self.stop()
            self._on_end(end)
        elif self._again:
            self._again = False
            self._checking = asyncio.ensure_future(self._check_once())
        else:
            self._schedule()

    async def _find_end(self) -> SocketEnd | None:
        """Why the websocket ends, if it does."""
        found, problem = self._renewed or self.identity, ""
        try:
            found = self._verifier.verify(found.token)
        except TokenError as error:
            problem = str(error)
        if self._ask is not None:
            told = await self._asked(self._ask)
            if isinstance(told, str):
                return SocketEnd(told)
            if told is not None and self._is_newer(told):
                found, problem = told, ""
        if problem:
            return SocketEnd(problem)
        try:
            if self._rights is not None:
                found = await self._rights.of(found)
        except RightsAway as error:
            return SocketEnd(str(error), 503)
        if self._needs is not None and not found.may(*self._needs):
            project, role = self._needs
            return SocketEnd(f"you no longer have the role {role} in {project}", 403)
        is_renewed = found.token != self.identity.token
        self.identity = found
        if is_renewed and self._on_renewed is not None:
            self._on_renewed(found)
        return None

    async def _asked(self, ask: Ask) -> Identity | str | None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await ask()
        except Exception:
            log.exception("whether a websocket's login goes on cannot be asked")
            return None
