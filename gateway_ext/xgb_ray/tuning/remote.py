"""A search for a kernel that is outside of its cluster (`ray://`): Ray Tune's loop, which cannot be
driven from there, runs in a process on the cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.errors import ClusterError, XGBRayError, user_message
from gateway_ext.xgb_ray.ray_cluster.connect import connect
from gateway_ext.xgb_ray.ray_cluster.remote_errors import cause_of, is_death
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.tuning.options import SearchOptions
from gateway_ext.xgb_ray.tuning.result import TuneResult, TuneStatus
from gateway_ext.xgb_ray.tuning.run import Tuning
from gateway_ext.xgb_ray.tuning.search import make_search


class _Driver:
    """The process on the cluster, an actor."""

    def start(self, *arguments: Any) -> TuneStatus:
        """Begin the search; takes and raises what `make_search` does."""
        connect(None)
        self._run = Tuning(*make_search(*arguments))
        return self._run.status()

    def look(self, stop: bool) -> tuple[TuneStatus, list[str], bool]:
        """Where the search is half a second from now, its events, and whether it has ended."""
        if stop:
            self._run.stop()
        self._run.pause(0.5)
        # First: what is said of a search that has ended is then all that there is to say.
        ended = self._run.done
        return self._run.status(), list(self._run.events), ended

    def outcome(self) -> tuple[TuneResult | None, XGBRayError | None]:
        """What there is after the end, and why it failed."""
        error = self._run.error
        if error is not None and not isinstance(error, XGBRayError):
            error = ClusterError(user_message(error))
        return self._run.result, error


class RemoteTuning(Background[TuneResult]):
    """A search that runs on the cluster. `wait` for its result; `stop` keeps the best model."""

    what = "search"

    def __init__(
        self,
        space: Mapping[str, Any],
        data: Any,
        label: str | Sequence[str],
        search: SearchOptions,
        training: TrainOptions,
    ) -> None:
        """Takes the arguments of `make_search`, and raises what that raises on the cluster."""
        import ray

        actor: Any = ray.remote(num_cpus=0)(_Driver)
        self._driver = actor.remote()
        self._asked = threading.Event()
        self._events: list[str] = []
        try:
            self._status: TuneStatus = ray.get(
                self._driver.start.remote(space, data, label, search, training)
            )
        except BaseException as error:
            with contextlib.suppress(Exception):
                ray.kill(self._driver)
            if isinstance(error, Exception):
                raise cause_of(error) from None
            raise
        self._begin()

    def stop(self) -> None:
        """End the trials that run and begin no others; the best model so far is kept."""
        self._asked.set()

    def stop_now(self) -> None:
        """The same as `stop`."""
        self.stop()

    @property
    def events(self) -> list[str]:
        """A line for each trial so far."""
        return self._events

    def status(self) -> TuneStatus:
        """How far it is."""
        return self._status

    def carry_out(self) -> None:
        """Look at the search until it has ended, and fetch what there is."""
        import ray

        try:
            ended = False
            while not ended:
                stop = self._asked.is_set()
                self._status, self._events, ended = ray.get(self._driver.look.remote(stop))
            self._result, error = ray.get(self._driver.outcome.remote())
        except Exception as failure:
            if is_death(failure):
                raise ClusterError(
                    "the process on the cluster that drove the search has ended: look at the "
                    "memory of its machine, and run the search again"
                ) from failure
            raise cause_of(failure) from None
        finally:
            # What the search led to is to be told also when the cluster has gone meanwhile.
            with contextlib.suppress(Exception):
                ray.kill(self._driver)
        if error is not None:
            raise error
