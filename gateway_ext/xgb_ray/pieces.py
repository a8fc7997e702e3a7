"""Work over the pieces of a data set as independent Ray tasks, which Ray repeats when they die."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def get_all(refs: Sequence[Any]) -> list[Any]:
    """The results in order; on an error or an interrupt the tasks that are left are cancelled.

    Raises:
        XGBRayError: what a task found wrong, without the frames of the remote side.
    """
    import ray

    from gateway_ext.xgb_ray.errors import ClusterError, TrainingError, XGBRayError

    pending = list(refs)
    try:
        while pending:
            # Short waits let an interrupt through.
            done, pending = ray.wait(pending, num_returns=len(pending), timeout=0.2)
            for ref in done:
                ray.get(ref)
        return list(ray.get(list(refs)))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, XGBRayError):
            raise cause from None
        raise TrainingError(f"{type(cause).__name__}: {cause}") from error
    except ray.exceptions.WorkerCrashedError as error:
        raise ClusterError("worker processes keep dying, perhaps for want of memory") from error
    finally:
        for ref in pending:
            ray.cancel(ref, force=True)
