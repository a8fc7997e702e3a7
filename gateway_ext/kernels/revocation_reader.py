"""Has a gateway know of revocations: the platform sends them to labs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time

from gateway_ext.kernels.agents.lab_calls import LabCalls, NotAnswered
from jupyter_ext.platform.revocations import Revocations, revocation_from
from jupyter_ext.wire.routes import REVOCATIONS_ROUTE

LOOK_SECONDS = 2.0
LAB_SECONDS = 1.5
"""How long one lab may take to answer, before another one is asked."""
FIRST_LOOK_SECONDS = 5.0
"""For how long people who call a gateway that has just started wait until it has looked. Whoever is
let in without that is looked at again as soon as a lab has answered."""


class RevocationReader:
    """Asks a lab for them. While none answers, what is known holds."""

    def __init__(self, labs: LabCalls, revocations: Revocations, log: logging.Logger) -> None:
        self._labs = labs
        self._revocations = revocations
        self._log = log
        self._problem = ""
        self._read_at: float | None = None
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """Look until it is canceled."""
        if not self._labs.possible:
            self._problem = "no labs are configured"
            self._log.warning(
                "tokens and roles that the platform takes back are not known here, because labs are"
                " not asked: set FleetGatewayApp.lab_urls and service_token_file"
            )
        while self._labs.possible:
            try:
                await self.look()
            except Exception:
                self._log.exception("reading revocations failed")
            self._looked.set()
            await asyncio.sleep(LOOK_SECONDS)
        self._looked.set()

    async def first_look(self) -> None:
        """Returns when labs were asked once, or after `FIRST_LOOK_SECONDS`."""
        if self._looked.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._looked.wait()

    def state(self) -> dict[str, object]:
        """How many seconds ago a lab has answered (None: never), and why none does."""
        age = None if self._read_at is None else round(time.monotonic() - self._read_at, 1)
        return {"read_seconds_ago": age, "problem": self._problem}

    async def look(self) -> None:
        """Ask once."""
        try:
            document = json.loads(await self._labs.get(REVOCATIONS_ROUTE))
            found = [revocation_from(one, one.get("until")) for one in document["revocations"]]
        except NotAnswered as error:
            # Labs of the version before know no such route, and refuse it.
            if error.status not in (403, 404):
                self._say(str(error))
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._say(f"a lab answers nonsense: {error!r}")
            return
        self._problem = ""
        self._read_at = time.monotonic()
        self._revocations.add(found)

    def _say(self, problem: str) -> None:
        # Once for each outage.
        if not self._problem:
            self._log.warning("revocations of tokens cannot be read: %s", problem)
        self._problem = problem
