"""The worker: one Ray actor that holds matrices of its shards and takes part in boosting rounds.

Work runs on the actor's main thread (XGBoost's communicator belongs to one thread); the methods
marked `control` run beside it and answer while a round is being computed.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from gateway_ext.xgb_ray.boosting import Boosting, Recipe, TrainState
from gateway_ext.xgb_ray.collective import Membership, Tracker
from gateway_ext.xgb_ray.cuts import Cuts, cuts_of
from gateway_ext.xgb_ray.matrix import Layout, build_matrix, make_reference
from gateway_ext.xgb_ray.shards import Shard

if TYPE_CHECKING:
    import xgboost as xgb


T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """One set of workers that compute together: this one's rank, and how to meet the others."""

    attempt: int
    rank: int
    size: int
    tracker: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a part of the work ended on one worker.

    `status`: "finished", "paused" (the driver asked, to change the world), "stopped" (the user
    asked or a callback decided), "aborted" (the world broke) or "error".
    `state` comes from rank 0 only, and not after "aborted".
    """

    status: str
    rounds: int
    state: TrainState | None = None
    message: str = ""


@dataclass(frozen=True)
class Prepared:
    """How building the matrices ended: "ready", "aborted" or "error"; cuts if they are new."""

    status: str
    cuts: Cuts | None = None
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class Progress:
    """What a heartbeat brings: rounds done, and the state if it is newer than what was asked."""

    rounds: int
    log: list[tuple[int, dict[str, dict[str, float]]]]
    state: TrainState | None
    memory_bytes: int
    cpu_seconds: float


class Worker:
    """See the module. All arguments are picklable; references to shards come nested in lists,
    so that Ray hands over the reference and not the shard."""

    def __init__(self, threads: int) -> None:
        _import_libraries()
        self._threads = threads
        self._membership: Membership | None = None
        self._aborted = -1
        self._tracker = Tracker()
        self._built: dict[str, tuple[tuple[Any, ...], xgb.QuantileDMatrix]] = {}
        self._reference: xgb.QuantileDMatrix | None = None
        self._boosting: Boosting | None = None
        self._flag, self._flag_attempt = 0, -1
        self._rounds = 0
        self._log: list[tuple[int, dict[str, dict[str, float]]]] = []
        self._snapshot: TrainState | None = None
        self._lock = threading.Lock()

    # Control: answered at once, also in the middle of a round.

    def hello(self) -> tuple[int, str, str]:
        """Process id, node id and address of this worker."""
        import ray

        return (
            os.getpid(),
            ray.get_runtime_context().get_node_id(),
            ray.util.get_node_ip_address(),
        )

    def ping(self, seen: int, newer_than: int) -> Progress:
        """Heartbeat and progress: what happened after round `seen`, and the state if it has more
        than `newer_than` rounds."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with self._lock:
            state = self._snapshot
            if state is not None and state.rounds <= newer_than:
                state = None
            return Progress(
                self._rounds,
                [entry for entry in self._log[-1000:] if entry[0] > seen],
                state,
                usage.ru_maxrss * 1024,
                usage.ru_utime + usage.ru_stime,
            )

    def ask(self, flag: int, attempt: int) -> None:
        """Ask the world of `attempt` to end together after a round (see `boosting.FLAGS`)."""
        self._flag, self._flag_attempt = flag, attempt

    def abort(self, attempt: int) -> None:
        """Break out of the collective call of this attempt, at once."""
        self._aborted = attempt
        membership = self._membership
        if membership is not None:
            membership.abort()

    def start_tracker(self, world: int, host: str) -> dict[str, Any]:
        """Start the meeting point of a new world here."""
        return self._tracker.start(world, host)

    # Work: one call at a time on the main thread.

    def prepare(
        self, sets: dict[str, list[Any]], layout: Layout, cuts: Cuts | None, world: World
    ) -> Prepared:
        """Build the matrices of this worker's shards; keeps those whose shards are the same.

        Without cuts they are sketched together with the others, and returned (by rank 0).
        """
        started = time.monotonic()
        if cuts is None:
            # A collective sketch that failed half way leaves some workers with a matrix.
            self._built = {}
        elif self._reference is None:
            self._reference = make_reference(cuts, layout, self._threads)
        size = world.size if cuts is None else 1

        def build() -> Cuts | None:
            sketched = None
            for name, refs in sets.items():
                key = tuple(r.hex() for r in refs)
                if name in self._built and self._built[name][0] == key:
                    continue
                self._built.pop(name, None)
                reference = self._reference
                if cuts is None and name != "train":
                    reference = self._built["train"][1]
                matrix = build_matrix(
                    [_fetcher(r) for r in refs],
                    layout,
                    nthread=self._threads,
                    reference=reference,
                )
                self._built[name] = (key, matrix)
                if cuts is None and name == "train":
                    sketched = cuts_of(matrix, layout.max_bin)
            return sketched

        try:
            sketched = self._as_member(world, size, build)
        except Exception as error:
            if is_broken_world(error):
                return Prepared("aborted", message=first_lines(str(error)))
            return Prepared("error", message=user_message(error))
        seconds = time.monotonic() - started
        return Prepared("ready", sketched if world.rank == 0 else None, seconds)

    def boost(
        self,
        world: World,
        recipe: Recipe,
        evals: Sequence[tuple[str, str]],
        state: TrainState,
    ) -> Outcome:
        """Compute rounds until the end, a request of the driver, or a failure of the world."""
        with self._lock:
            self._rounds, self._snapshot, self._log = state.rounds, None, []
        self._boosting = None

        def compute() -> str:
            boosting = self._boosting = Boosting(
                recipe,
                state,
                self._built["train"][1],
                [(self._built[key][1], name) for key, name in evals],
                threads=self._threads,
                rank=world.rank,
                world=world.size,
            )
            return boosting.run(
                lambda: self._flag if self._flag_attempt == world.attempt else 0,
                self._publish,
                self._keep,
            )

        try:
            status = self._as_member(world, world.size, compute)
        except Exception as error:
            rounds = self._boosting.rounds if self._boosting is not None else state.rounds
            if is_broken_world(error):
                return Outcome("aborted", rounds, message=first_lines(str(error)))
            return Outcome("error", rounds, message=user_message(error))
        state = self._boosting.state() if self._boosting is not None else state
        return Outcome(status, state.rounds, state if world.rank == 0 else None)

    def _as_member(self, world: World, size: int, work: Callable[[], T]) -> T:
        membership = Membership(size, world.tracker)
        self._membership = membership
        # An abort of this world may have come before it began here.
        if 0 < world.attempt <= self._aborted:
            membership.abort()
        try:
            return membership.run(work)
        finally:
            self._membership = None

    def take_state(self) -> TrainState | None:
        """The state after the last completed round, from a worker whose world broke."""
        return self._boosting.state() if self._boosting is not None else None

    def _publish(self, rounds: int, last: dict[str, dict[str, float]]) -> None:
        with self._lock:
            self._rounds = rounds
            self._log.append((rounds, last))

    def _keep(self, state: TrainState) -> None:
        with self._lock:
            self._snapshot = state


def _import_libraries() -> None:
    """Import now, while the driver still does other things, what the work needs.

    XGBoost imports scikit-learn for its estimators, which take no part here and cost more than
    all the rest together; it does without when there is none. User functions still find it.
    """
    there = sys.modules.get("sklearn")
    if there is None and "xgboost" not in sys.modules:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        import xgboost  # noqa: F401
    finally:
        if there is None and sys.modules.get("sklearn", there) is None:
            sys.modules.pop("sklearn", None)
    import pyarrow.parquet  # noqa: F401


def _fetcher(ref: Any) -> Callable[[], Shard]:
    def fetch() -> Shard:
        import ray

        shard: Shard = ray.get(ref)
        return shard

    return fetch


def is_broken_world(error: BaseException) -> bool:
    """Whether an error means that another member is gone, and not that something is wrong."""
    import xgboost as xgb

    if isinstance(error, ConnectionAbortedError):
        return True
    return isinstance(error, xgb.core.XGBoostError) and "collective" in str(error)


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
