"""One member's connection to the others, and how to break it from outside.

When a member dies, XGBoost's own error does not reach every survivor: with four members one of
them was measured to hang until `dmlc_timeout` (30 minutes unless set). XGBoost 3.2 has no call to
abort, so the sockets that its communicator opened are shut down under it: all survivors raise
within milliseconds and keep their process, data and booster.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from typing import Any

# Only the last resort: frozen members are found by heartbeats long before.
COLLECTIVE_TIMEOUT_SECONDS = 3600


class Membership:
    """Joins a world on the calling thread; `abort` may be called from any other thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: frozenset[int] | None = None  # inodes
        self._sockets: frozenset[int] = frozenset()
        self._tracker = ("", 0)
        self._aborted: int | None = None

    @contextlib.contextmanager
    def joined(self, world: int, tracker: dict[str, Any], attempt: int) -> Iterator[None]:
        """Be a member of a world of `world` workers while in the block.

        Args:
            tracker: what `Tracker.start` returned, with `dmlc_task_id` added; not used for one.
            attempt: a number that grows with each world; `abort` names the one that it means,
                so that an abort that comes late cannot break the next world.
        """
        from xgboost import collective

        if world == 1:
            yield
            return
        with self._lock:
            if self._aborted is not None and self._aborted >= attempt:
                raise ConnectionAbortedError("aborted before joining")
            self._before = frozenset(_open_sockets())
            self._tracker = (str(tracker["dmlc_tracker_uri"]), int(tracker["dmlc_tracker_port"]))
        arguments = dict(tracker, dmlc_timeout=COLLECTIVE_TIMEOUT_SECONDS, dmlc_retry=3)
        context = collective.CommunicatorContext(**arguments)
        leave = collective.finalize
        try:
            context.__enter__()
            ours = self._find_own()
            with self._lock:
                self._sockets = ours
                late = self._aborted is not None and self._aborted >= attempt
            if late:
                self.abort(attempt)
            yield
        except BaseException:
            leave = self._leave_broken
            raise
        finally:
            # After a failure the connections are gone and leaving can only fail.
            with contextlib.suppress(Exception):
                leave()
            with self._lock:
                self._before, self._sockets = None, frozenset()

    def _leave_broken(self) -> None:
        """Leave a world that broke.

        XGBoost says goodbye to the tracker first; a tracker that has given up never answers, and
        the goodbye would wait for as long as a collective call may take. So it is cut short.
        """
        from xgboost import collective

        done = threading.Event()

        def cut_short() -> None:
            while not done.wait(0.005):
                with self._lock:
                    if self._before is None:
                        return
                    for inode, fd in self._new_sockets().items():
                        pair = _ends(fd)
                        if inode in self._sockets or (
                            pair is not None and pair[1] == self._tracker
                        ):
                            _shut_down(fd)

        thread = threading.Thread(target=cut_short, name="leave-world", daemon=True)
        thread.start()
        try:
            # An error in the goodbye may leave the thread a member: it would then go on to build
            # its next matrix together with the dead.
            for _ in range(100):
                with contextlib.suppress(Exception):
                    collective.finalize()
                if not collective.is_distributed():
                    return
        finally:
            done.set()
            thread.join()
        # The driver replaces a worker that ends; one that is half in a world harms the others.
        os._exit(1)

    def _find_own(self) -> frozenset[int]:
        """The sockets that this world uses, told from those that Ray opened meanwhile.

        A connection between two members has its two ends in two members' lists; one to the
        tracker is known by its address.
        """
        from xgboost import collective

        ends = {inode: _ends(fd) for inode, fd in self._new_sockets().items()}
        mine = [(e[0], e[1]) for e in ends.values() if e is not None and e[1] is not None]
        rank, world = collective.get_rank(), collective.get_world_size()
        everyone: list[list[Any]] = [
            collective.broadcast(mine if rank == r else None, r) for r in range(world)
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

    def abort(self, attempt: int) -> None:
        """Make the training thread's collective call (of `attempt` or before) fail at once."""
        with self._lock:
            self._aborted = attempt
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
