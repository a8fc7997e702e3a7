"""Work on the pieces of a data set as independent Ray tasks, which Ray retries when they die.

The results belong to the driver: they outlive the process that computed them, and if their node is
lost, Ray computes them again.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway_ext.xgb_ray.errors import ClusterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.ray_cluster.remote_errors import cause_of, is_death

# How often a task is started beside one that does not end (its process or machine hangs).
_BACKUPS = 2


@dataclass(eq=False)
class Call:
    """A function to run in a task.

    It returns a list: `stored` objects that stay in the object store (references in `refs`), and
    at the end something small, which comes to the driver as `value`. It runs on `node` (an id)
    unless that one is lost, or another one has nothing to do.
    """

    function: Callable[..., list[Any]]
    arguments: tuple[Any, ...]
    node: str
    stored: int = 0
    refs: list[Any] = field(default_factory=list)
    value: Any = None
    done: bool = False


@dataclass(eq=False)
class Attempt:
    """A call that runs on a node: since when (`started`, seconds of a monotonic clock), how many
    backups were started beside it, and the last one when (`backed_up`)."""

    call: Call
    node: str
    refs: list[Any]
    started: float
    backups: int = 0
    is_backup: bool = False
    backed_up: float = 0.0


def run_calls(
    calls: Sequence[Call],
    room: Mapping[str, int],
    wait: Callable[[list[Any]], list[Any]],
    *,
    patience: float = 15.0,
    repeated: Callable[[Call], None] = lambda call: None,
) -> float:
    """Run calls, on each node as many at a time as it has room for; returns their CPU seconds.

    Tasks ask Ray for no CPU: they use those that are reserved for workers which wait for the data,
    and Ray must be able to repeat them when the workers hold all CPUs.

    Args:
        room: how many tasks each node (by its id) may run at a time.
        wait: given references waits a moment; returns those that are ready.
        patience: seconds after which a task may count as hung, see `is_overdue`.
        repeated: is told of each call that is run a second time beside a task that hangs.

    Raises:
        XGBRayError: what a call raised, or that its process died again and again.
    """
    queues = {node: deque[Call]() for node in room}
    nodes = list(room)
    for i, call in enumerate(calls):
        node = call.node if call.node in queues else nodes[i % len(nodes)]
        queues[node].append(call)
    running: dict[Any, Attempt] = {}
    longest = cpu = 0.0
    left = len(calls)
    try:
        while left:
            now = time.monotonic()
            # One that has a backup is taken for hung, and for one that uses no CPU.
            busy = Counter(a.node for a in running.values() if a.is_backup or not a.backups)
            for node in nodes:
                while busy[node] < room[node] and any(queues.values()):
                    queue = queues[node] or max(queues.values(), key=len)
                    _begin(queue.popleft(), node, running)
                    busy[node] += 1
            for attempt in to_repeat(list(running.values()), now, longest, patience):
                # Its own patience begins anew, so that a slow store is not asked ever more.
                attempt.backed_up, attempt.backups = now, attempt.backups + 1
                others = sorted((n == attempt.node, busy[n], n) for n in nodes)
                node = others[0][-1]
                _begin(attempt.call, node, running, is_backup=True)
                busy[node] += 1
                repeated(attempt.call)
            for ref in wait(list(running)):
                attempt = running.pop(ref)
                call = attempt.call
                if call.done:
                    continue
                beside = [r for r, a in running.items() if a.call is call]
                outcome = _outcome(ref)
                if isinstance(outcome, BaseException):
                    if beside and is_death(outcome):
                        continue
                    raise outcome
                call.value, spent = outcome
                call.refs, call.done = attempt.refs[:-1], True
                cpu += spent
                longest = max(longest, time.monotonic() - attempt.started)
                left -= 1
                for other in beside:
                    _cancel(other)
                    running.pop(other)
        return cpu
    finally:
        for ref in running:
            _cancel(ref)


def to_repeat(
    running: Sequence[Attempt], now: float, longest: float, patience: float
) -> list[Attempt]:
    """The tasks for which to start a backup task.

    While no task has ended, all may be slow and none hung. One backup at a time finds that out,
    and does not make a slow store slower. For `longest` and `patience` see `is_overdue`.
    """
    overdue = [
        a for a in running if is_overdue(now - max(a.started, a.backed_up), longest, patience)
    ]
    wanted = [a for a in overdue if not a.is_backup and a.backups < _BACKUPS]
    if longest:
        return wanted
    if any(a.is_backup and a not in overdue for a in running):
        return []
    return wanted[:1]


def is_overdue(seconds: float, longest: float, patience: float) -> bool:
    """Whether a task that has run for this long counts as hung.

    `longest` is how long one like it took, 0 if none has ended yet.
    """
    return seconds > (3 * longest + patience if longest else 4 * patience)


def _begin(call: Call, node: str, running: dict[Any, Attempt], *, is_backup: bool = False) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0)(_run).options(
        num_returns=call.stored + 1,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
    )
    refs: Any = task.remote(call.function, call.arguments)
    refs = refs if isinstance(refs, list) else [refs]
    running[refs[-1]] = Attempt(call, node, refs, time.monotonic(), is_backup=is_backup)


def _run(function: Callable[..., list[Any]], arguments: tuple[Any, ...]) -> Any:
    """The task: what is to be stored, then the value with the CPU seconds that all of it took."""
    before = time.process_time()
    *stored, value = function(*arguments)
    last = (value, time.process_time() - before)
    return [*stored, last] if stored else last


def _outcome(ref: Any) -> Any:
    """What a finished task says at its end, or its error in the user's words."""
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.WorkerCrashedError:
        return ClusterError("worker processes keep dying, perhaps because of too little memory")
    except Exception as error:
        return cause_of(error)


def _cancel(ref: Any) -> None:
    import ray

    with contextlib.suppress(Exception):
        ray.cancel(ref, force=True)


def get_all(refs: Sequence[Any]) -> list[Any]:
    """The results in order; on an error or an interrupt the tasks that are left are canceled.

    Raises:
        XGBRayError: what a task found wrong, without the frames of the remote side.
    """
    import ray

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
        raise ClusterError(
            "worker processes keep dying, perhaps because of too little memory"
        ) from error
    finally:
        for ref in pending:
            ray.cancel(ref, force=True)
