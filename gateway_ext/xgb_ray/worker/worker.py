"""The worker: one Ray actor that holds matrices of its shards and takes part in boosting rounds.

Work runs on the actor's main thread (XGBoost's communicator belongs to one thread); the methods
marked `control` run beside it and answer while a round is being computed.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from gateway_ext.xgb_ray.data.cuts import Cuts, cuts_of
from gateway_ext.xgb_ray.data.matrix import Layout, build_matrix, make_reference
from gateway_ext.xgb_ray.data.shards import Shard
from gateway_ext.xgb_ray.errors import first_lines, user_message
from gateway_ext.xgb_ray.worker.boosting import Boosting, Recipe, TrainState
from gateway_ext.xgb_ray.worker.collective import Membership, Tracker, join_together, run_together

if TYPE_CHECKING:
    import xgboost as xgb


T = TypeVar("T")


@dataclass(frozen=True)
class RankAssignment:
    """One member of a group that computes together: its rank, and how to meet the others.

    The rank is the number of the portion of the rows. A worker that has taken over the portion of
    a lost one is two members.
    """

    attempt: int
    rank: int
    world_size: int
    tracker: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a part of the work ended on one worker.

    `status`: "finished", "paused" (the driver asked, to change the group), "stopped" (the user
    asked or a callback decided), "aborted" (the group broke) or "error".
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
    """The answer to a heartbeat: completed rounds, and the state if it is newer than requested.

    `in_user_code`: a callback, objective or metric of the user is running.
    """

    rounds: int
    log: list[tuple[int, dict[str, dict[str, float]]]]
    state: TrainState | None
    memory_bytes: int
    cpu_seconds: float
    in_user_code: bool


class Worker:
    """See the module. All arguments are picklable; references to shards come nested in lists,
    so that Ray hands over the reference and not the shard."""

    def __init__(self, threads: int) -> None:
        _end_with_the_node()
        _import_libraries()
        self._threads = threads
        self._memberships: list[Membership] = []
        # The attempt that the memberships belong to, and the newest that is over.
        self._attempt = self._aborted = -1
        self._joining = threading.Lock()
        self._tracker, self._address = Tracker(), ""
        # By portion and data key: what it was built of, and the matrix.
        self._built: dict[tuple[int, str], tuple[tuple[Any, ...], xgb.QuantileDMatrix]] = {}
        self._reference: xgb.QuantileDMatrix | None = None
        self._boostings: dict[int, Boosting] = {}
        self._flag, self._flag_attempt = 0, -1
        self._rounds = 0
        self._log: list[tuple[int, dict[str, dict[str, float]]]] = []
        self._snapshot: TrainState | None = None
        self._lock = threading.Lock()

    # Control: answered at once, also in the middle of a round.

    def hello(self) -> tuple[int, str, str]:
        """Process id, node id and address of this worker."""
        import ray

        self._address = ray.util.get_node_ip_address()
        return os.getpid(), ray.get_runtime_context().get_node_id(), self._address

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
                self._in_user_code(),
            )

    def ask(self, flag: int, attempt: int) -> None:
        """Ask the group of `attempt` to end together after a round (`boosting.PAUSE` or `STOP`)."""
        self._flag, self._flag_attempt = flag, attempt

    def abort(self, attempt: int) -> None:
        """Break out of the collective call of this attempt, at once."""
        self._aborted = max(self._aborted, attempt)
        if self._attempt <= attempt:
            for membership in list(self._memberships):
                membership.abort()

    def start_tracker(self, world_size: int, host: str) -> dict[str, Any]:
        """Start the meeting point of a new group here."""
        return self._tracker.start(world_size, host)

    def join(self, ranks: Sequence[RankAssignment]) -> bool:
        """Join a group, with each portion of this worker, before `boost` is called for it: while
        the matrices are built. Ends when that is done, or will not be any more; tells which."""
        try:
            return all(membership.wait_joined() for membership in self._joined(ranks))
        except ConnectionAbortedError:
            return False

    # Work: one call at a time on the main thread.

    def prepare(
        self,
        portions: dict[int, dict[str, list[Any]]],
        layout: Layout,
        cuts: Cuts | None,
        ranks: Sequence[RankAssignment],
    ) -> Prepared:
        """Build the matrices of this worker's portions; keeps those whose shards are the same.

        Args:
            portions: for each its shards by data key.
            cuts: without them they are sketched together with the others, and returned (by
                rank 0).
            ranks: then, one for each portion.
        """
        started = time.monotonic()
        if cuts is None:
            # A collective sketch that failed half way leaves some workers with a matrix.
            self._built = {}
        elif self._reference is None:
            self._reference = make_reference(cuts, layout, self._threads)
        self._forget(portions)

        def build(portion: int) -> Cuts | None:
            sketched = None
            for name, refs in portions[portion].items():
                if (portion, name) in self._built:
                    continue
                reference = self._reference
                if cuts is None and name != "train":
                    reference = self._built[portion, "train"][1]
                matrix = build_matrix(
                    [_fetcher(r) for r in refs],
                    layout,
                    nthread=self._threads,
                    reference=reference,
                )
                self._built[portion, name] = (_identity(refs), matrix)
                if cuts is None and name == "train":
                    sketched = cuts_of(matrix, layout.max_bin)
            return sketched

        works = [functools.partial(build, portion) for portion in portions]
        try:
            if cuts is None:
                sketched = self._as_members(ranks, works)
            else:
                sketched = [work() for work in works]
        except Exception as error:
            if is_broken_group(error):
                return Prepared("aborted", message=first_lines(str(error)))
            return Prepared("error", message=user_message(error))
        seconds = time.monotonic() - started
        of_first = next((c for p, c in zip(portions, sketched, strict=True) if p == 0), None)
        return Prepared("ready", of_first, seconds)

    def _forget(self, portions: dict[int, dict[str, list[Any]]]) -> None:
        """Drop the matrices that the next group does not need, before new ones use memory."""
        wanted = {
            (portion, name): _identity(refs)
            for portion, sets in portions.items()
            for name, refs in sets.items()
        }
        self._boostings = {}
        self._built = {k: v for k, v in self._built.items() if wanted.get(k) == v[0]}

    def boost(
        self,
        ranks: Sequence[RankAssignment],
        recipe: Recipe,
        evals: Sequence[tuple[str, str]],
        state: TrainState,
    ) -> Outcome:
        """Compute rounds until the end, a request of the driver, or a failure of the group.

        Args:
            ranks: one for each portion of this worker.
        """
        with self._lock:
            self._rounds, self._snapshot, self._log = state.rounds, None, []
        self._boostings = {}

        def compute(rank: RankAssignment) -> str:
            portion = rank.rank
            boosting = self._boostings[portion] = Boosting(
                recipe,
                state,
                self._built[portion, "train"][1],
                [(self._built[portion, key][1], name) for key, name in evals],
                threads=self._threads,
                rank=rank.rank,
                world_size=rank.world_size,
            )
            return boosting.run(
                lambda: self._flag if self._flag_attempt == rank.attempt else 0,
                self._publish if rank is ranks[0] else _ignore,
                self._keep,
            )

        try:
            works = [functools.partial(compute, rank) for rank in ranks]
            status, *_ = self._as_members(ranks, works)
        except Exception as error:
            rounds = max((b.rounds for b in self._boostings.values()), default=state.rounds)
            if is_broken_group(error):
                return Outcome("aborted", rounds, message=first_lines(str(error)))
            return Outcome("error", rounds, message=user_message(error))
        first = self._boostings.get(0)
        rounds = self._boostings[ranks[0].rank].rounds
        return Outcome(status, rounds, first.state() if first is not None else None)

    def _joined(self, ranks: Sequence[RankAssignment]) -> list[Membership]:
        """The memberships in these groups, which are of one attempt; they join if they are new.

        Raises:
            ConnectionAbortedError: there is a newer attempt already.
        """
        attempt = ranks[0].attempt
        with self._joining:
            # The calls of two attempts run in threads of their own: the later may come first.
            if attempt < self._attempt:
                raise ConnectionAbortedError("a newer group has begun")
            if self._attempt == attempt:
                return self._memberships
            memberships = [Membership(rank.world_size, rank.tracker) for rank in ranks]
            self._attempt, self._memberships = attempt, memberships
            # An abort of this group may have come before it began here.
            if attempt <= self._aborted:
                for membership in memberships:
                    membership.abort()
            join_together(memberships)
        if ranks[0].world_size > 1:
            # For the next group, which may meet here.
            self._tracker.keep_ready(ranks[0].world_size, self._address)
        return memberships

    def _as_members(
        self, ranks: Sequence[RankAssignment], works: Sequence[Callable[[], T]]
    ) -> list[T]:
        try:
            return run_together(self._joined(ranks), works, self._in_user_code)
        finally:
            with self._joining:
                if self._attempt == ranks[0].attempt:
                    self._memberships = []

    def _in_user_code(self) -> bool:
        return any(b.user_code.running for b in list(self._boostings.values()))

    def take_state(self) -> TrainState | None:
        """The state after the last completed round, from a worker whose group broke."""
        newest = max(self._boostings.values(), key=lambda b: b.rounds, default=None)
        return newest.state() if newest is not None else None

    def _publish(self, rounds: int, last: dict[str, dict[str, float]]) -> None:
        with self._lock:
            self._rounds = rounds
            self._log.append((rounds, last))

    def _keep(self, state: TrainState) -> None:
        with self._lock:
            self._snapshot = state


def _end_with_the_node() -> None:
    """Have the system end this process when Ray's process on this node, its parent, is gone.

    A worker notices that by itself, but not one that is frozen.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


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


def _identity(refs: Sequence[Any]) -> tuple[str, ...]:
    return tuple(r.hex() for r in refs)


def _ignore(rounds: int, last: dict[str, dict[str, float]]) -> None:
    """Progress of a second portion, which is that of the first."""


def _fetcher(ref: Any) -> Callable[[], Shard]:
    def fetch() -> Shard:
        import ray

        shard: Shard = ray.get(ref)
        return shard

    return fetch


def is_broken_group(error: BaseException) -> bool:
    """Whether an error means that another member was lost, not that the work itself failed."""
    import xgboost as xgb

    if isinstance(error, ConnectionAbortedError):
        return True
    return isinstance(error, xgb.core.XGBoostError) and "collective" in str(error)
