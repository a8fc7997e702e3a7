"""The errors that a user of this package sees: each says what is wrong and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway_ext.xgb_ray.training.result import TrainResult


class XGBRayError(Exception):
    """Base of all; the message speaks of the user's columns, parameters and cluster."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of a stack of remote frames, which says nothing to the user.
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.args)


class DataError(XGBRayError, ValueError):
    """The data cannot be used as asked: a column, a file or a value is not what it should be."""


class ParameterError(XGBRayError, ValueError):
    """A parameter is unknown, contradicts another, or has a value that cannot be used."""


class ClusterError(XGBRayError, RuntimeError):
    """The cluster cannot give what was asked for."""


class TrainingError(XGBRayError, RuntimeError):
    """Training ended before its last round.

    `result` holds what there was by then: the best model so far (or None), metrics and events.
    """

    def __init__(self, message: str, result: TrainResult | None = None) -> None:
        super().__init__(message)
        self.result = result
