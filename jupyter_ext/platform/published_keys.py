"""Public keys that a platform publishes at a URL."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import Request

import jwt

from jupyter_ext.platform.jwks import parse_keys
from jupyter_ext.platform.platform_calls import read_from

log = logging.getLogger(__name__)

READ_SECONDS = 60.0
"""How old keys get before they are read again: so long a removed one may be accepted."""
NEXT_SECONDS = 5.0
"""Between two reads because of a key that is not known, and after one that has failed."""
STALE_SECONDS = 86400.0
"""After this long without an answer nobody is let in by what was read."""
THREAD = "fleet-keys"


class PublishedKeys:
    """Reads in a thread of its own: what asks for keys never waits."""

    def __init__(self, url: str, fetch: Callable[[str], bytes] | None = None) -> None:
        self._url = url
        self._fetch = fetch or _fetch
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._failed = False
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._tried = threading.Event()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name=THREAD, daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Block until the first answer, or for so long."""
        self._tried.wait(seconds)

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self._wanted.set()

    def current(self) -> Mapping[str, jwt.PyJWK]:
        """The keys by ID; none before the first answer, and long after the last."""
        if self._keys and time.monotonic() - self._read_at > STALE_SECONDS:
            log.error("the keys of %s are too old: nobody is let in by them", self._url)
            self._keys = {}
        return self._keys

    def look_again(self) -> None:
        """Somebody has a key that is not known: perhaps it is new."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.read()
            self._tried.set()
            # Unknown keys may come as often as anybody likes.
            self._stopped.wait(NEXT_SECONDS)
            if not self._failed:
                self._wanted.wait(READ_SECONDS - NEXT_SECONDS)
            self._wanted.clear()

    def read(self) -> None:
        """Read once; what cannot be read leaves the keys as they are."""
        try:
            keys = parse_keys(json.loads(self._fetch(self._url)))
            if not keys:
                raise ValueError("there is no usable key")
        except Exception as error:
            # Whatever a server answers: the thread must go on, or new keys would never be known.
            if not self._failed:
                log.warning("%s: keys cannot be read: %s", self._url, error or type(error).__name__)
            self._failed = True
            return
        self._failed = False
        self._read_at = time.monotonic()
        if _texts(keys) != _texts(self._keys):
            self._keys = keys


def _texts(keys: Mapping[str, jwt.PyJWK]) -> dict[str, Any]:
    return {key_id: key._jwk_data for key_id, key in keys.items()}


def _fetch(url: str) -> bytes:
    return read_from(Request(url, headers={"Accept": "application/json"}))  # noqa: S310 (https)
