"""The logins of a fleet's browsers: begun, found by their ID, ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.logins import store
from jupyter_ext.logins.sealing import SealError, open_copy, open_token, seal_copy, seal_token
from jupyter_ext.logins.session_id import digest_of, is_session_id, new_session_id
from jupyter_ext.platform.encryption import SecretBox
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

log = logging.getLogger(__name__)

T = TypeVar("T")

KNOWN_SECONDS = 60.0
"""For how long a lab knows a login without reading it again: so long it may go on at this lab after
it was ended at another."""
ANSWER_SECONDS = 2.0
"""A database that does not answer for this long counts as away: requests must not hang with it."""
AWAY_SECONDS = 5.0
"""For how long a browser's copy serves before the database is asked again."""
NEW_COPY_SECONDS = 120.0
"""How old a browser's copy gets before this lab makes a new one. It serves for five times as long:
a page that is open asks something far more often."""
MOST_OF_A_USER = 100
MOST_KNOWN = 10_000
"""Logins, and as many that have ended."""
_ENDED = "this login has ended: sign in again"


class LoginEnded(Exception):
    """There is no such login any more; the text says why and is for its user."""


class LoginsAway(Exception):
    """The database cannot be asked; the text is for the user."""


@dataclass
class _Known:
    """A login that this lab has looked up."""

    identity: Identity
    basis: object
    """What its token was checked with."""
    until: float
    """When it is read again; on the steady clock, as the next one."""
    copied: float = float("-inf")
    """When the browser was last given a copy."""
    from_copy: bool = False
    """Whether the database was away, and this is what a copy says."""


class Logins:
    """One lab's view of the logins, which all labs share.

    A look-up reads the database at most once in `KNOWN_SECONDS`, however many requests ask at the
    same time; one for an ID that no lab has made never does, nor a second one for a login that has
    ended. So nobody keeps the database busy without a login.
    """

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        verifier: TokenVerifier,
        most: int = MOST_OF_A_USER,
    ) -> None:
        """`most` is how many logins a user may have: the oldest one ends when another begins."""
        self._database = database
        self._box = box
        self._verifier = verifier
        self._most = most
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._reading: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def begin(self, identity: Identity) -> str:
        """Keep a new login for the holder of a verified token; its ID, for the browser alone.

        Raises LoginsAway.
        """
        session_id = new_session_id(self._box)
        digest = digest_of(session_id)
        add = partial(
            store.add_login,
            digest=digest,
            username=identity.user,
            token=seal_token(self._box, digest, identity.token),
            expires=identity.expires,
            most=self._most,
        )
        for one in await self._change(add):
            self._forget(one)
        self._remember(digest, identity, KNOWN_SECONDS)
        return session_id

    def has_made(self, session_id: str) -> bool:
        """Whether a lab has made this ID. The login may have ended."""
        return is_session_id(self._box, session_id)

    async def find(self, session_id: str, copy: str | None) -> Identity:
        """Whose login this is. `copy` is the browser's copy, which serves while the database is
        away.

        Raises LoginEnded, or LoginsAway.
        """
        if not is_session_id(self._box, session_id):
            raise LoginEnded(_ENDED)
        digest = digest_of(session_id)
        if digest in self._ended:
            raise LoginEnded(_ENDED)
        known = self._known.get(digest)
        if known is not None and time.monotonic() < known.until:
            self._known.move_to_end(digest)
            return self._still_valid(digest, known)
        try:
            sealed = await self._read(digest, store.token_of)
        except (DatabaseUnavailable, TimeoutError) as error:
            return self._from_copy(digest, copy, error)
        if sealed is None:
            self._forget(digest)
        # It may have ended while it was read.
        if sealed is None or digest in self._ended:
            raise LoginEnded(_ENDED)
        try:
            token = open_token(self._box, digest, sealed)
        except SealError as error:
            log.error("a login cannot be used: %s", error)
            raise LoginEnded(_ENDED) from error
        return self._remember(digest, self._verified(token), KNOWN_SECONDS).identity

    def new_copy(self, session_id: str) -> str | None:
        """A copy for a browser whose login was just found, if it is time for one."""
        known = self._known.get(digest_of(session_id))
        now = time.monotonic()
        if known is None or known.from_copy or now < known.copied + NEW_COPY_SECONDS:
            return None
        known.copied = now
        digest = digest_of(session_id)
        return seal_copy(self._box, digest, known.identity.token, time.time())

    def renewed(self, session_id: str, identity: Identity) -> None:
        """A login goes on with another token, if it has not ended meanwhile."""
        known = self._known.get(digest_of(session_id))
        if known is not None:
            known.identity, known.basis = identity, self._verifier.basis()
            known.copied = float("-inf")

    async def end_token(self, identity: Identity) -> None:
        """End what a cookie with the token itself stands for, at all labs of this version.

        Raises LoginsAway.
        """
        digest = digest_of(identity.token)
        sealed = seal_token(self._box, digest, identity.token)
        end = partial(
            store.end_token,
            digest=digest,
            username=identity.user,
            token=sealed,
            expires=identity.expires,
        )
        await self._change(end)
        self._forget(digest)

    async def token_has_ended(self, identity: Identity) -> bool:
        """Whether `end_token` was called for it at any lab; if nobody can tell, it was not."""
        digest = digest_of(identity.token)
        known = self._known.get(digest)
        if digest in self._ended or (known is not None and time.monotonic() < known.until):
            return digest in self._ended
        try:
            if await self._read(digest, store.has_ended):
                self._forget(digest)
        except (DatabaseUnavailable, TimeoutError):
            return False
        if digest not in self._ended:
            self._remember(digest, identity, KNOWN_SECONDS)
        return digest in self._ended

    async def end(self, session_id: str) -> None:
        """End a login everywhere; other labs know it within `KNOWN_SECONDS`.

        Raises LoginsAway: then the login goes on.
        """
        digest = digest_of(session_id)
        if digest in self._ended or not is_session_id(self._box, session_id):
            return
        await self._change(partial(store.end_login, digest=digest))
        self._forget(digest)

    def _forget(self, digest: str) -> None:
        """A login has ended: none begins again under the same ID."""
        self._known.pop(digest, None)
        self._ended[digest] = None
        while len(self._ended) > MOST_KNOWN:
            self._ended.popitem(last=False)

    async def _change(self, function: Callable[[Connection], T]) -> T:
        try:
            return await self._database.run(function)
        except DatabaseUnavailable as error:
            raise LoginsAway(
                "nobody can sign in or out while the database is away: try again in a moment"
            ) from error

    async def _read(self, digest: str, function: Callable[..., Any]) -> Any:
        """What the database has; raises DatabaseUnavailable, or TimeoutError if it does not answer
        in time."""
        now = time.monotonic()
        started, reading = self._reading.get(digest, (now, None))
        if reading is None:
            reading = asyncio.ensure_future(
                self._database.run(partial(function, digest=digest), read_only=True)
            )
            self._reading[digest] = (now, reading)
            reading.add_done_callback(lambda done: self._read_ended(digest, done))
        async with asyncio.timeout(max(0.0, started + ANSWER_SECONDS - now)):
            # One request may give up: the others wait for the same answer.
            return await asyncio.shield(reading)

    def _read_ended(self, digest: str, done: asyncio.Task[Any]) -> None:
        self._reading.pop(digest, None)
        if not done.cancelled():
            # It is logged where it is raised; perhaps nobody waits for it any more.
            done.exception()

    def _from_copy(self, digest: str, copy: str | None, error: Exception) -> Identity:
        now = time.time()
        try:
            if copy is None:
                raise SealError("the browser has no copy")
            token, until = open_copy(self._box, digest, copy, now)
        except SealError as refused:
            log.info("a login cannot be checked: %s", refused)
            raise LoginsAway(
                "whether you are signed in cannot be checked while the database is away: try"
                " again in a moment"
            ) from error
        identity = self._verified(token)
        known = self._remember(digest, identity, min(AWAY_SECONDS, until - now))
        known.from_copy = True
        return identity

    def _remember(self, digest: str, identity: Identity, seconds: float) -> _Known:
        before = self._known.pop(digest, None)
        known = _Known(identity, self._verifier.basis(), time.monotonic() + seconds)
        if before is not None:
            known.copied = before.copied
        self._known[digest] = known
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    def _still_valid(self, digest: str, known: _Known) -> Identity:
        if known.basis != self._verifier.basis():
            # Keys or revocations have changed: a login is worth no more than its token.
            known.identity = self._verified(known.identity.token)
            known.basis = self._verifier.basis()
        if time.time() >= known.identity.expires:
            raise LoginEnded("the token has expired: sign in again")
        return known.identity

    def _verified(self, token: str) -> Identity:
        try:
            return self._verifier.verify(token)
        except TokenError as error:
            raise LoginEnded(str(error)) from error
