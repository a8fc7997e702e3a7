"""Callbacks, objectives and metrics of the user, and whether one is running.

They may take as long as they like: a worker that is in one cannot answer to the end of its group,
and must not count as stuck.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class UserCode:
    """The user's functions in one thread.

    Attributes:
        running: whether one of them runs right now. May be read from other threads.
    """

    def __init__(self) -> None:
        self.running = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns or raises."""
        self.running = True
        try:
            return function(*arguments)
        finally:
            self.running = False

    def watched(self, function: Any) -> Any:
        """A proxy that calls a function or callable object through `call`; None for None."""
        return None if function is None else _Watched(function, self)


class _Watched:
    """Pretends to be of the object's class, which XGBoost checks for objectives."""

    def __init__(self, function: Any, user_code: UserCode) -> None:
        self._function = function
        self._user_code = user_code

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._function)

    def __call__(self, *arguments: Any) -> Any:
        return self._user_code.call(self._function, *arguments)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._function, name)
        return self._user_code.watched(value) if callable(value) else value
