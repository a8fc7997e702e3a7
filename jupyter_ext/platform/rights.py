"""Roles of people whose platform is asked for them, in place of those that tokens name."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType

from jupyter_ext.platform.jwks import Issuer
from jupyter_ext.platform.platform_calls import Ask, PlatformAway, PlatformRefused, ask_platform
from jupyter_ext.platform.revocations import Revocations, Revoked
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenError, check_grant

log = logging.getLogger(__name__)

KNOWN_SECONDS = 60.0
"""How long an answer is used, and so how long a role that was taken away may still hold."""
GRACE_SECONDS = 600.0
"""How long after an answer people keep their roles while the platform is away."""
ANSWER_SECONDS = 3.0
"""A platform that does not answer for this long counts as away: requests must not hang with it."""
AWAY_SECONDS = 5.0
"""For how long it is not asked again after that."""
MOST_KNOWN = 10_000
_THREADS = 8


class RightsAway(Exception):
    """Which roles somebody has cannot be asked; the text is for them."""


@dataclass(frozen=True)
class _Known:
    """What the platform has answered."""

    projects: Mapping[str, Role]
    asked: float
    """When it was asked, by the system clock."""
    steady: float
    """The same by the steady clock."""


class Rights:
    """What one server knows. Each person is asked for at most once in `KNOWN_SECONDS`, however many
    requests want to know."""

    def __init__(self, revocations: Revocations, ask: Ask = ask_platform) -> None:
        self._revocations = revocations
        self._ask = ask
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Future[Mapping[str, Role]]] = {}
        self._away_until: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fleet-rights")

    async def of(self, identity: Identity) -> Identity:
        """The same caller with the roles that their platform names; services, and people whose
        token names their roles, as they are. Raises RightsAway."""
        issuer = identity.issuer
        if issuer is None or not issuer.rights_url:
            return identity
        key = issuer.rights_url, identity.user
        known = self._known.get(key)
        if known is not None and not self._is_old(known):
            self._known.move_to_end(key)
            return replace(identity, projects=known.projects)
        try:
            return replace(identity, projects=await self._answer(key, issuer))
        except PlatformAway as error:
            # Somebody else may have asked meanwhile.
            known = self._known.get(key)
            if known is None or time.monotonic() >= known.steady + GRACE_SECONDS:
                raise RightsAway(
                    "your rights cannot be asked at the moment, because the platform does not"
                    " answer: try again soon"
                ) from error
            return replace(identity, projects=self._not_revoked(known))

    def _is_old(self, known: _Known) -> bool:
        if time.monotonic() >= known.steady + KNOWN_SECONDS:
            return True
        return len(self._not_revoked(known)) != len(known.projects)

    def _not_revoked(self, known: _Known) -> Mapping[str, Role]:
        holds = self._revocations.holds
        left = {
            project: role
            for project, role in known.projects.items()
            if not holds(Revoked.PROJECT, project, known.asked)
        }
        return MappingProxyType(left)

    async def _answer(self, key: tuple[str, str], issuer: Issuer) -> Mapping[str, Role]:
        """What the platform says now; raises PlatformAway."""
        if time.monotonic() < self._away_until.get(issuer.rights_url, 0.0):
            raise PlatformAway("it did not answer a moment ago")
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._asked(key, issuer))
            asking.add_done_callback(lambda done: self._has_asked(key, done))
        # One request may give up: the others wait for the same answer.
        return await asyncio.shield(asking)

    def _has_asked(self, key: tuple[str, str], done: asyncio.Future[Mapping[str, Role]]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            # Perhaps nobody waits for it any more.
            done.exception()

    async def _asked(self, key: tuple[str, str], issuer: Issuer) -> Mapping[str, Role]:
        url, user = key
        asked, steady = time.time(), time.monotonic()
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(
            self._threads, self._ask, url, issuer.secret_file, {"user": user}
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                projects = projects_of(await call)
        except PlatformRefused as error:
            if error.status != 404:
                raise self._away(url, error) from error
            projects = MappingProxyType({})
        except (PlatformAway, TimeoutError) as error:
            raise self._away(url, error) from error
        self._away_until.pop(url, None)
        self._known[key] = _Known(projects, asked, steady)
        self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return projects

    def _away(self, url: str, error: Exception) -> PlatformAway:
        words = str(error) or f"{url}: no answer in {ANSWER_SECONDS:.0f} s"
        if url not in self._away_until:
            # Once for each outage.
            log.error("rights of people cannot be asked: %s", words)
        self._away_until[url] = time.monotonic() + AWAY_SECONDS
        return PlatformAway(words)


def projects_of(answer: Mapping[str, object]) -> Mapping[str, Role]:
    """The roles in a platform's answer, `{"projects": {"demo": "owner"}}`; raises PlatformAway if
    any of it cannot be understood."""
    projects = answer.get("projects")
    if not isinstance(projects, dict):
        raise PlatformAway("the answer about rights has no projects")
    try:
        return MappingProxyType({check_grant(p, r): Role(r) for p, r in projects.items()})
    except TokenError as error:
        raise PlatformAway(f"the answer about rights is wrong: {error}") from error
