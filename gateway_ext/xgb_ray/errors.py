"""The errors that a user of this package sees: each says what is wrong and how to fix it."""

from __future__ import annotations

import re
import traceback
from typing import Any


class XGBRayError(Exception):
    """Base of all; the message speaks of the user's columns, parameters and cluster."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of a stack of remote frames, which says nothing to the user.
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.args)


class DataError(XGBRayError, ValueError):
    """The data cannot be used: something is wrong with a column, a file or a value."""


class ParameterError(XGBRayError, ValueError):
    """A parameter is unknown, contradicts another, or has a value that cannot be used."""


class ClusterError(XGBRayError, RuntimeError):
    """The cluster cannot provide what was requested."""


class TrainingError(XGBRayError, RuntimeError):
    """Training ended before its last round.

    `result` (a `TrainResult`, or None) holds what there was by then: the best model so far (or
    None), metrics and events.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


def first_lines(text: str) -> str:
    """XGBoost's message without its stack trace and time stamps."""
    text = text.split("Stack trace")[0]
    lines = [re.sub(r"^\[\d\d:\d\d:\d\d\] \S+:\d+: ", "", s.strip()) for s in text.splitlines()]
    return " ".join(s for s in lines if s)[:600]


def user_message(error: BaseException) -> str:
    """The error in one line, with the place in the user's own code if that is where it was."""
    import xgboost as xgb

    if isinstance(error, xgb.core.XGBoostError):
        return first_lines(str(error))
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not {"xgboost", "xgb_ray", "ray"} & set(f.filename.split("/"))]
    where = f", line {own[-1].lineno} of {own[-1].name}: {own[-1].line}" if own else ""
    return f"{type(error).__name__}: {error}{where}".rstrip(": ")
