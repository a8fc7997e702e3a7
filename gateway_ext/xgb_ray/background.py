"""Work in a separate thread that can be watched, waited for and stopped."""

from __future__ import annotations

import atexit
import threading
import time
import traceback
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from gateway_ext.xgb_ray.lease import lease

Result = TypeVar("Result")

_EXIT_SECONDS = 3.0
_running: weakref.WeakSet[Background[Any]] = weakref.WeakSet()


class Background(ABC, Generic[Result]):
    """Something that runs in the background: a training, a search, a job of a cluster.

    A subclass does its work in `carry_out` and leaves its result, or a partial one before it
    raises, in `_result`. It calls `_begin` when it is created.
    """

    _result: Result | None = None
    _error: BaseException | None = None
    # What it is called in messages.
    what = "training"

    def _begin(self) -> None:
        # An event, and not the thread itself: in Python 3.11 an interrupt in `Thread.join` marks
        # the thread as ended while it runs.
        self._ended = threading.Event()
        self._after: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="xgb_ray", daemon=True)
        _running.add(self)
        # Registered late, to be called before Ray's own: that one takes the cluster away.
        atexit.unregister(_leave_all)
        atexit.register(_leave_all)
        self._thread.start()

    def _run(self) -> None:
        try:
            with lease():
                self.carry_out()
        except BaseException as error:
            self._error = error
            _forget_locals(error)
        finally:
            with self._lock:
                self._ended.set()
                after = list(self._after)
            _running.discard(self)
            for function in after:
                function()

    @abstractmethod
    def carry_out(self) -> None:
        """The work itself; sets `_result`, raises why it failed."""

    @abstractmethod
    def stop(self) -> None:
        """End soon, and keep the result so far."""

    @abstractmethod
    def stop_now(self) -> None:
        """End at once."""

    def leave(self) -> None:
        """Stop or detach from the work soon, because this process ends."""
        self.stop_now()

    @property
    @abstractmethod
    def events(self) -> Sequence[Any]:
        """What happened so far; each as a string is one line."""

    @abstractmethod
    def status(self) -> Any:
        """Its progress: as a string one line, in a notebook HTML."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status()})"

    def _repr_html_(self) -> str | None:
        html = getattr(self.status(), "_repr_html_", None)
        return None if html is None else str(html())

    def when_done(self, function: Callable[[], None]) -> None:
        """Have a function called at the end, in the thread of the work; at once if it was."""
        with self._lock:
            if not self._ended.is_set():
                self._after.append(function)
                return
        function()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    def pause(self, seconds: float) -> None:
        """Do nothing for this time, or until it has ended. Lets an interrupt through."""
        self._ended.wait(seconds)

    @property
    def error(self) -> BaseException | None:
        """Why it failed, or None."""
        return self._error

    @property
    def result(self) -> Result | None:
        """The result after the end, also after a failure; None before."""
        return self._result if self.done else None

    def wait(self, timeout: float | None = None) -> Result:
        """The result, when it has ended.

        Raises:
            XGBRayError: it failed; for a `TrainingError`, `result` has what there was.
            TimeoutError: it is still running after `timeout` seconds.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the {self.what} is still running after {timeout:g} s")
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError(f"the {self.what} ended without a result")
        return self._result

    def wait_interruptibly(
        self,
        look: Callable[[], None] = lambda: None,
        interrupted: Callable[[], None] = lambda: None,
    ) -> int:
        """Until the end: the first interrupt (^C) stops it, the second one at once.

        `look` is called twenty times a second, `interrupted` at the first interrupt. Returns how
        often it was interrupted.
        """
        asked = 0
        while True:
            # All of it inside: another interrupt may come while the first one is handled.
            try:
                if asked == 1:
                    interrupted()
                    self.stop()
                elif asked:
                    self.stop_now()
                while not self.done:
                    self.pause(0.05)
                    look()
                return asked
            except KeyboardInterrupt:
                asked += 1


def _leave_all() -> None:
    """Waits at the end of the process, for a short time, until no thread of ours is at work.

    Python ends a thread by unwinding its stack at the next bytecode. If a frame of C++ or Rust is
    on that stack (Ray's, pydantic's below Kubernetes' client), the whole process aborts.
    """
    waiting = [work for work in list(_running) if not work.done]
    for work in waiting:
        work.leave()
    deadline = time.monotonic() + _EXIT_SECONDS
    for work in waiting:
        work.pause(max(0.0, deadline - time.monotonic()))


def _forget_locals(error: BaseException | None) -> None:
    """Empty the frames of an error that is kept: what they hold would be kept in the object
    store."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
