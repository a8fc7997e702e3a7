"""Sends events to a URL."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from jupyter_ext.audit.sink_failures import SinkFailures
from jupyter_ext.platform.no_redirects import open_there

MOST_WAITING = 10_000
"""Events that wait while the webhook does not answer; of more, the newest are lost."""
MOST_AT_ONCE = 100
ANSWER_SECONDS = 10.0
LONGEST_PAUSE = 60.0
REFUSED = (400, 413, 422)
"""Answers about what was sent: to send it again would not help."""

Post = Callable[[bytes], None]


class Webhook(logging.Handler):
    """Posts `{"events": […], "lost": N}`, in order; N were lost before these.

    Each is sent until it is taken: a receiver may see one twice, and tells by its `id`.
    """

    def __init__(
        self, post: Post, log: Any, *, room: int = MOST_WAITING, first_pause: float = 1.0
    ) -> None:
        super().__init__()
        self._post = post
        self._failures = SinkFailures("the webhook of the audit", log)
        self._room = room
        self._first_pause = first_pause
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-audit-webhook", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it for the thread."""
        line = self.format(record)
        with self._changed:
            if len(self._waiting) >= self._room:
                self._lost += 1
                self._failures.add("too many wait")
                return
            self._waiting.append(line)
            self._changed.notify()

    def close(self) -> None:
        """Send what waits, for a moment."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(ANSWER_SECONDS / 5)
        super().close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closing.is_set():
                        return
                    self._changed.wait()
                lines = [self._waiting[n] for n in range(min(len(self._waiting), MOST_AT_ONCE))]
                lost = self._lost
            if not self._deliver(lines, lost):
                return
            with self._changed:
                for _ in lines:
                    self._waiting.popleft()
                self._lost -= lost

    def _deliver(self, lines: Sequence[str], lost: int) -> bool:
        """Whether they are done with; False if this sink is closed first."""
        body = b'{"events": [' + ", ".join(lines).encode() + f'], "lost": {lost}}}'.encode()
        pause = self._first_pause
        while True:
            try:
                self._post(body)
                return True
            except HTTPError as error:
                if error.code in REFUSED:
                    self._failures.add(f"it refuses them ({error.code})", len(lines))
                    return True
                self._failures.add(f"it answers {error.code}", 0)
            except Exception as error:
                self._failures.add(error, 0)
            if self._closing.wait(pause):
                return False
            pause = min(2 * pause, LONGEST_PAUSE)


def poster(url: str, token_file: str) -> Post:
    """Posts JSON to `url`, with the token in the file, if one is named, which is read each time."""

    def post(body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        if token_file:
            headers["Authorization"] = f"Bearer {Path(token_file).read_text().strip()}"
        request = Request(url, body, headers, method="POST")  # noqa: S310 (checked before)
        with open_there(request, ANSWER_SECONDS) as answer:
            answer.read(1)

    return post
