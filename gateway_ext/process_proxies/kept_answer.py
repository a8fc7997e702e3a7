"""An answer that takes a while to find, kept for all who ask."""

import threading
import time
from collections.abc import Callable


class NotFound(Exception):
    """The answer is not known: it could not be looked for. The text says why."""


class KeptAnswer:
    """A text, which is empty if all is well. Another one is looked for again, now and then."""

    def __init__(self, believed_seconds: float) -> None:
        """`believed_seconds` is how long an answer that is not empty counts."""
        self._believed_seconds = believed_seconds
        self._looking = threading.Lock()
        self._answer: tuple[float, str] | None = None
        self._failure: NotFound | None = None

    def get(self, find: Callable[[], str]) -> str:
        """The answer, by `find` where that is needed. The first ones wait for it together; while
        somebody looks for a newer one, all others get the old one. Raises NotFound as `find` does,
        which is not kept, unless there is an old one."""
        known, failure = self._answer, self._failure
        if known is not None and not self._is_old(known):
            return known[1]
        if not self._looking.acquire(blocking=known is None) and known is not None:
            return known[1]
        try:
            if self._answer is not None and self._answer is not known:
                return self._answer[1]
            if self._failure is not None and self._failure is not failure:
                # The look for which this thread waited has failed.
                raise NotFound(str(self._failure))
            return self._look(find, known)
        finally:
            self._looking.release()

    def _look(self, find: Callable[[], str], known: tuple[float, str] | None) -> str:
        try:
            found = find()
        except NotFound as error:
            self._failure = error
            if known is None:
                raise
            found = known[1]
        self._answer = (time.monotonic(), found)
        return found

    def _is_old(self, answer: tuple[float, str]) -> bool:
        since, text = answer
        return bool(text) and time.monotonic() - since > self._believed_seconds
