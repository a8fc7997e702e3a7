"""One member's connection to the others, and how to break it from outside.

When a member dies, XGBoost's own error does not reach every survivor. Two things hold them up in
XGBoost 3.2, which has no call to abort:

- A survivor waits for a neighbour that itself only waits. So the sockets that the communicator
  opened are shut down under it, on request of the driver.
- If a socket fails between the submission of two operations, `Loop::Block` stops the thread that
  would have answered the second and then waits for it, for as long as `dmlc_timeout` says (with
  four members about one kill in ten). Nothing wakes that wait. So each world lives in a thread of
  its own (XGBoost's communicator belongs to a thread), and a thread that does not come back is left
  behind. Data and completed rounds are not touched by it: a round's trees are committed at its end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Only the last resort: frozen members are found by heartbeats long before.
COLLECTIVE_TIMEOUT_SECONDS = 1800

# How long a thread may take to notice that its sockets are gone (usual: 5 ms) before it is left.
_GRACE_SECONDS = 0.04


class Membership:
    """Being one of the members of one world, once."""

    def __init__(self, world: int, tracker: dict[str, Any]) -> None:
        """`world` is the number of members, `tracker` what `Tracker.start` returned, with
        `dmlc_task_id` added (not used for a world of one)."""
        self._world = world
        self._arguments = tracker
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._done = threading.Event()
        self._aborted = False
        self._before: frozenset[int] | None = None  # inodes
        self._sockets: frozenset[int] = frozenset()
        self._tracker = ("", 0)
        self._outcome: Any = None
        self._error: BaseException | None = None

    def run(self, work: Callable[[], T]) -> T:
        """`work()` as a member of the world.

        Raises:
            ConnectionAbortedError: `abort` was called.
            BaseException: what `work` raised.
        """
        if self._world == 1:
            return work()
        threading.Thread(target=self._live, args=(work,), name="world", daemon=True).start()
        self._changed.wait()
        if not self._done.is_set() and not self._done.wait(_GRACE_SECONDS):
            raise ConnectionAbortedError("the collective call did not come back")
        if self._error is not None:
            raise self._error
        outcome: T = self._outcome
        return outcome

    def abort(self) -> None:
        """Make `run` end at once. May be called from any thread and at any time."""
        with self._lock:
            self._aborted = True
            self._break_connections()
        self._changed.set()

    def _live(self, work: Callable[[], Any]) -> None:
        from xgboost import collective

        broken = False
        try:
            with self._lock:
                if self._aborted:
                    raise ConnectionAbortedError("aborted before joining")
                uri = str(self._arguments["dmlc_tracker_uri"])
                self._tracker = (uri, int(self._arguments["dmlc_tracker_port"]))
                self._before = frozenset(_open_sockets())
            timeout = {"dmlc_timeout": COLLECTIVE_TIMEOUT_SECONDS, "dmlc_retry": 3}
            collective.init(**self._arguments, **timeout)
            ours = self._find_own()
            with self._lock:
                self._sockets = ours
                if self._aborted:
                    self._break_connections()
            self._outcome = work()
            collective.finalize()
        except BaseException as error:
            self._error = error
            broken = True
        self._done.set()
        self._changed.set()
        if broken:
            self._leave_broken()

    def _leave_broken(self) -> None:
        """Leave a world that broke; nobody waits for it.

        XGBoost says goodbye to the tracker first, and a tracker that has given up never answers:
        so the goodbye is cut short.
        """
        from xgboost import collective

        left = threading.Event()

        def cut_short() -> None:
            while not left.wait(0.01):
                with self._lock:
                    self._break_connections()

        threading.Thread(target=cut_short, name="leave-world", daemon=True).start()
        for _ in range(100):
            with contextlib.suppress(Exception):
                collective.finalize()
            if not collective.is_distributed():
                left.set()
                return
        left.set()
        # A thread that ends as a member has XGBoost's destructor end the process.
        threading.Event().wait()

    def _break_connections(self) -> None:
        if self._before is None:
            return
        new = self._new_sockets()
        pairs = {fd: _ends(fd) for fd in new.values()}
        victims = {fd for fd, p in pairs.items() if p is not None and p[1] == self._tracker}
        victims.update(fd for inode, fd in new.items() if inode in self._sockets)
        if not self._sockets:
            # Still joining, perhaps waiting for a neighbour on its first listening socket. The
            # second one must not be touched: XGBoost ends the process when that one wakes up.
            listening = [fd for fd, p in pairs.items() if p is not None and p[1] is None]
            victims.update(sorted(listening)[:1])
        for fd in victims:
            _shut_down(fd)

    def _find_own(self) -> frozenset[int]:
        """The sockets that this world uses, told from those that Ray opened meanwhile.

        A connection between two members has its two ends in two members' lists; one to the
        tracker is known by its address.
        """
        from xgboost import collective

        ends = {inode: _ends(fd) for inode, fd in self._new_sockets().items()}
        mine = [(e[0], e[1]) for e in ends.values() if e is not None and e[1] is not None]
        rank, world = collective.get_rank(), collective.get_world_size()
        nothing: Any = None
        everyone: list[list[Any]] = [
            collective.broadcast(mine if rank == r else nothing, r) for r in range(world)
        ]
        mirrored = {(b, a) for r, list_ in enumerate(everyone) if r != rank for a, b in list_}
        own = set()
        for inode, pair in ends.items():
            if pair is None:
                continue
            local, peer = pair
            if peer is not None and ((local, peer) in mirrored or peer == self._tracker):
                own.add(inode)
        return frozenset(own)

    def _new_sockets(self) -> dict[int, int]:
        before = self._before or frozenset()
        return {inode: fd for inode, fd in _open_sockets().items() if inode not in before}


class Tracker:
    """The meeting point of one world. Never used twice: a second start ends live members."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def start(self, world: int, host: str) -> dict[str, Any]:
        """Start a tracker for `world` members on this machine; its arguments for them."""
        from xgboost.tracker import RabitTracker

        tracker = RabitTracker(n_workers=world, host_ip=host, sortby="task")
        tracker.start()
        # Freeing a tracker whose members died blocks, so it stays (a few kB) with this process.
        self._kept.append(tracker)

        def wait() -> None:
            with contextlib.suppress(Exception):
                tracker.wait_for()

        threading.Thread(target=wait, name="xgboost-tracker", daemon=True).start()
        return dict(tracker.worker_args())


def _open_sockets() -> dict[int, int]:
    """The sockets of this process: file descriptor by inode. A descriptor alone says nothing
    later on, when it may have been closed and belong to another socket."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            facts = os.fstat(int(name))
            if stat.S_ISSOCK(facts.st_mode):
                found[facts.st_ino] = int(name)
    return found


def _ends(fd: int) -> tuple[tuple[str, int], tuple[str, int] | None] | None:
    """Local and remote address of a TCP socket; remote is None for one that only listens."""
    try:
        copy = socket.socket(fileno=os.dup(fd))
    except OSError:
        return None
    with copy:
        if copy.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        local = copy.getsockname()[:2]
        try:
            return local, copy.getpeername()[:2]
        except OSError:
            return local, None


def _shut_down(fd: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
