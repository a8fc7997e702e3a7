"""A websocket lives no longer than the login it was opened with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

RECHECK_SECONDS = 10.0
"""How long a websocket may stay open after the key of its token was removed."""


class SocketLogin:
    """Watches the login behind one open websocket.

    `on_end(reason)` is called once, on the event loop: when the token expires, or within
    `RECHECK_SECONDS` after its key was removed. It is not called after `stop()`.
    """

    def __init__(
        self, identity: Identity, verifier: TokenVerifier, on_end: Callable[[str], None]
    ) -> None:
        self._identity = identity
        self._verifier = verifier
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None
        self._schedule()

    def stop(self) -> None:
        """Stop watching: the websocket has closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        left = max(0.0, self._identity.expires - time.time())
        self._timer = asyncio.get_running_loop().call_later(min(left, RECHECK_SECONDS), self._check)

    def _check(self) -> None:
        self._timer = None
        try:
            self._verifier.verify(self._identity.token)
        except TokenError as error:
            self._on_end(str(error))
        else:
            self._schedule()
