"""Tokens of logins, renewed by their platform while the browser is there: a page goes on for longer
than a token."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.logins import store
from jupyter_ext.logins.logins import LoginEnded, Logins, LoginsAway
from jupyter_ext.logins.sealing import SealError, open_token, seal_token
from jupyter_ext.logins.session_id import digest_of
from jupyter_ext.platform.encryption import SecretBox
from jupyter_ext.platform.jwks import Issuer
from jupyter_ext.platform.platform_calls import Ask, PlatformAway, PlatformRefused, ask_platform
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

log = logging.getLogger(__name__)

RENEW_SECONDS = 300.0
"""How long before its end a token is renewed; one that lives for less than twice as long, in the
middle of its life."""
AGAIN_SECONDS = 10.0
"""Between two tries for one login; twice as long after each answer that is of no use."""
LONGEST_PAUSE_SECONDS = 300.0
WAIT_SECONDS = 2.0
"""How long a websocket's look at its login waits for a renewal."""
MOST_PAUSES = 10_000
_REFUSED = frozenset({403, 404, 410})
_THREADS = 4


class Became(Enum):
    """What became of a try to renew a login."""

    RENEWED = "renewed"
    REFUSED = "refused"
    """By its platform, where the user has signed out."""
    FAILED = "failed"


@dataclass(frozen=True)
class Renewal:
    """One try, by the lab that has asked the platform."""

    user: str
    digest: str
    """Under which the login is kept."""
    became: Became
    reason: str = ""
    """Why it was not renewed."""


@dataclass
class _Pause:
    """Of one login."""

    until: float = float("-inf")
    """On the steady clock."""
    seconds: float = AGAIN_SECONDS
    """How long the next one is."""

    def begin(self) -> None:
        self.until = time.monotonic() + self.seconds

    def grow(self) -> None:
        self.seconds = min(2 * self.seconds, LONGEST_PAUSE_SECONDS)
        self.begin()


class Renewals:
    """One lab's. Each login is found here instead of in `Logins`, and renewed beside that: nobody
    waits for the platform."""

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        verifier: TokenVerifier,
        logins: Logins,
        ask: Ask = ask_platform,
        tell: Callable[[Renewal], None] = lambda renewal: None,
    ) -> None:
        """`tell` is called after each try, on the event loop."""
        self._database = database
        self._box = box
        self._verifier = verifier
        self._logins = logins
        self._ask = ask
        self._tell = tell
        self._renewing: dict[str, asyncio.Task[None]] = {}
        self._pauses: dict[str, _Pause] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fleet-renewals")

    async def find(self, session_id: str, copy: str | None) -> Identity:
        """As `Logins.find`."""
        identity = await self._logins.find(session_id, copy)
        self._consider(session_id, identity)
        return identity

    def asked(self, session_id: str) -> Callable[[], Awaitable[Identity | str | None]]:
        """What has become of the login of a websocket: the user with whom it goes on, why it has
        ended, or None if that cannot be told."""

        async def ask() -> Identity | str | None:
            try:
                identity = await self.find(session_id, None)
                renewing = self._renewing.get(digest_of(session_id))
                if renewing is not None:
                    await asyncio.wait({renewing}, timeout=WAIT_SECONDS)
                    identity = await self._logins.find(session_id, None)
            except LoginEnded as error:
                return str(error)
            except LoginsAway:
                # It goes on, to the end of its token at the latest.
                return None
            return identity

        return ask

    def _consider(self, session_id: str, identity: Identity) -> None:
        issuer = identity.issuer
        if issuer is None or not issuer.renew_url or not is_due(identity, time.time()):
            return
        digest = digest_of(session_id)
        pause = self._pauses.get(digest)
        if digest in self._renewing or (pause is not None and time.monotonic() < pause.until):
            return
        if pause is None:
            if len(self._pauses) >= MOST_PAUSES:
                self._pauses.clear()
            pause = self._pauses[digest] = _Pause()
        pause.begin()
        renewing = asyncio.ensure_future(self._renew(session_id, digest, identity, issuer, pause))
        self._renewing[digest] = renewing
        renewing.add_done_callback(lambda _: self._renewing.pop(digest, None))

    async def _renew(
        self, session_id: str, digest: str, identity: Identity, issuer: Issuer, pause: _Pause
    ) -> None:
        became, reason = Became.FAILED, ""
        try:
            renewed, asked = await self._renewed(digest, identity, issuer)
            if renewed is not None:
                self._logins.renewed(session_id, renewed)
            if not asked:
                return
            became = Became.RENEWED
        except PlatformRefused as error:
            reason = str(error)
            if error.status in _REFUSED:
                became = Became.REFUSED
                pause.until = float("inf")
                log.info("the platform does not renew the login of %r", identity.user)
            else:
                log.warning("the login of %r is not renewed: %s", identity.user, reason)
        except (DatabaseUnavailable, PlatformAway, SealError, TokenError) as error:
            reason = str(error)
            log.warning("the login of %r is not renewed: %s", identity.user, reason)
            if isinstance(error, TokenError):
                pause.grow()
        except Exception:
            reason = "see the lab's log"
            log.exception("the login of %r is not renewed", identity.user)
        self._tell(Renewal(identity.user, digest, became, reason))

    async def _renewed(
        self, digest: str, identity: Identity, issuer: Issuer
    ) -> tuple[Identity | None, bool]:
        """The newer token of a login, which its row has now; None if there is none. And whether the
        platform was asked for it here."""
        claim = partial(store.claim_renewal, digest=digest)
        claimed, sealed = await self._database.run(claim)
        if sealed is None:
            return None, False
        kept = self._verifier.verify(open_token(self._box, digest, sealed))
        if is_newer(kept, identity):
            # Another lab has renewed it.
            return kept, False
        if not claimed:
            return None, False
        question = {"token": identity.token}
        answer = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._ask, issuer.renew_url, issuer.secret_file, question
        )
        renewed = self._verified(identity, answer.get("token"))
        keep = partial(
            store.keep_renewed,
            digest=digest,
            token=seal_token(self._box, digest, renewed.token),
            expires=renewed.expires,
        )
        is_kept = await self._database.run(keep)
        return (renewed, True) if is_kept else (None, False)

    def _verified(self, identity: Identity, token: object) -> Identity:
        """The platform's answer; raises TokenError if it is no newer token of the same person."""
        if not isinstance(token, str):
            raise TokenError("the platform has answered no token")
        renewed = self._verifier.verify(token)
        if renewed.user != identity.user:
            raise TokenError("the platform has answered another person's token")
        if not is_newer(renewed, identity):
            raise TokenError("the platform has answered a token that ends no later")
        return renewed


def is_newer(token: Identity, than: Identity) -> bool:
    """Whether a token ends later; in place of one of which roles were taken back, one will do that
    was issued later: it may have other roles."""
    return token.expires > than.expires or (than.reduced and token.issued > than.issued)


def is_due(identity: Identity, now: float) -> bool:
    """Whether it is time to renew a token; `now` in seconds since 1970. One of which roles were
    taken back, at once: the platform may have given others."""
    life = identity.expires - identity.issued
    return identity.reduced or identity.expires - now <= min(RENEW_SECONDS, life / 2)
