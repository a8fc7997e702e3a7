"""The states of a training."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """Where a training is."""

    PLACING = "placing"
    """Asks the cluster for room for all workers at once (a placement group)."""
    STARTING = "starting"
    """Worker processes come up."""
    LOADING = "loading"
    """Tasks decode the data into the object store."""
    PREPARING = "preparing"
    """Workers build their matrices."""
    TRAINING = "training"
    """Rounds are computed."""
    RECOVERING = "recovering"
    """A worker was lost: the survivors leave the round and the newest state is collected."""
    WAITING = "waiting"
    """Too few workers: a replacement is on its way."""
    FINISHED = "finished"
    """The model is complete."""
    STOPPED = "stopped"
    """The user stopped it; the model so far is kept."""
    FAILED = "failed"
    """It cannot continue; the model so far, if any, is kept."""

    @property
    def final(self) -> bool:
        return self in (Phase.FINISHED, Phase.STOPPED, Phase.FAILED)
