"""Has a gateway know of revocations: the platform sends them to labs."""

from __future__ import annotations

import json
import logging

from gateway_ext.kernels.agents.lab_calls import LabCalls, NotAnswered
from jupyter_ext.platform.revocations import Revocations, revocation_from
from jupyter_ext.wire.routes import REVOCATIONS_ROUTE

LOOK_SECONDS = 2.0


class RevocationReader:
    """Asks a lab for them. While none answers, what is known holds."""

    def __init__(self, labs: LabCalls, revocations: Revocations, log: logging.Logger) -> None:
        self._labs = labs
        self._revocations = revocations
        self._log = log
        self._said = ""

    async def look(self) -> None:
        """Ask once."""
        if not self._labs.possible:
            return
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
        self._said = ""
        self._revocations.add(found)

    def _say(self, problem: str) -> None:
        # Once for each outage.
        if not self._said:
            self._log.warning("revocations of tokens cannot be read: %s", problem)
        self._said = problem
