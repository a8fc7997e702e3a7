"""What the failure of a call to a worker means: its death, or an error of the work itself."""

from __future__ import annotations

from gateway_ext.xgb_ray.errors import TrainingError, XGBRayError, user_message


def is_death(error: BaseException) -> bool:
    """Whether an error means that a worker's process, or its node, is gone."""
    import ray

    return isinstance(
        error,
        ray.exceptions.RayActorError
        | ray.exceptions.WorkerCrashedError
        | ray.exceptions.NodeDiedError
        | ray.exceptions.ActorUnavailableError,
    )


def cause_of(error: BaseException) -> Exception:
    """What a remote call really raised, in the user's words."""
    import ray

    if isinstance(error, ray.exceptions.RayTaskError) and isinstance(error.cause, Exception):
        cause = error.cause
        return cause if isinstance(cause, XGBRayError) else TrainingError(user_message(cause))
    return error if isinstance(error, Exception) else RuntimeError(str(error))
