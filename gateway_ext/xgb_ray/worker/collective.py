"""One member's connection to the others, and how to abort it from outside.

When a member dies, XGBoost's own error does not reach every survivor. Two things block them in
XGBoost 3.2, which has no call to abort:

- A survivor waits for a neighbor that itself only waits. So the sockets that the communicator
  opened are shut down under it, on request of the driver.
- If a socket fails between the submission of two operations, `Loop::Block` stops the thread that
  would have answered the second and then waits for it, for as long as `dmlc_timeout` says (with
  four members about one kill in ten). Nothing wakes that wait. So each group lives in a thread of
  its own (XGBoost's communicator belongs to a thread), and a thread that does not come back is left
  behind. Data and completed rounds are not touched by it: a round's trees are committed at its end.

And one makes joining slow: XGBoost writes its first bytes in small pieces to sockets that wait for
the other side's delayed acknowledgment, 40 ms (measured: 44 ms with 2 to 8 members on one machine,
7 ms with `TCP_NODELAY` set from outside).
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import stat
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gateway_ext.xgb_ray.worker.broadcast import told_by

T = TypeVar("T")

# Only the last resort: frozen members are found by heartbeats long before.
COLLECTIVE_TIMEOUT_SECONDS = 1800

# How long a thread whose sockets are gone may sleep before it is left (usual: 5 ms). One that is
# still computing is waited for: it looks at its sockets when it is through.
_LOOKS, _LOOK_SECONDS = 4, 0.005
# How often new sockets are looked for while a member joins, at first and in the end: the others may
# be long in coming.
_HURRY_SECONDS, _HURRY_SECONDS_MOST = 0.001, 0.02
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
# How long a member may take until it listens for its neighbors (usual: 2 ms).
_LISTENING_SECONDS = 5.0


def run_together(
    memberships: Sequence[Membership],
    works: Sequence[Callable[[], T]],
    elsewhere: Callable[[], bool] = lambda: False,
) -> list[T]:
    """What each of `works` returns, done at the same time by members that live in this process and
    have begun to join (`join_together`).

    When one fails the others are called back, as nobody else may notice.

    Args:
        elsewhere: whether any of them is busy with something that is no collective call, such as
            a function of the user that waits for a file: then nobody is left behind.

    Raises:
        ConnectionAbortedError: the group broke, or one was aborted.
        BaseException: what one of `works` raised.
    """
    for membership, work in zip(memberships, works, strict=True):
        membership.give(work)
    errors: list[BaseException] = []
    results: list[T] = []
    for membership in memberships:
        try:
            results.append(membership.wait(elsewhere))
        except BaseException as error:
            errors.append(error)
    if errors:
        # Those who were called back say less than the one who failed.
        raise min(errors, key=lambda e: isinstance(e, ConnectionAbortedError))
    return results


def join_together(memberships: Sequence[Membership]) -> None:
    """Have members that live in this process begin to join their group."""
    for membership in memberships:
        membership.join([m for m in memberships if m is not membership])


class Membership:
    """One membership in one group. A process may have several.

    It joins, is given its work (perhaps later, when there are matrices), and is waited for.
    """

    def __init__(self, world_size: int, tracker: dict[str, Any]) -> None:
        """`world_size` is the number of members, `tracker` what `Tracker.start` returned, with
        `dmlc_task_id` added (not used for a group of one)."""
        self._world_size = world_size
        self._arguments = tracker
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._threads: frozenset[str] = frozenset()
        self._joined = threading.Event()
        self._changed = threading.Event()
        self._done = threading.Event()
        self._aborted = False
        self._before: frozenset[int] | None = None  # inodes
        self._listener: int | None = None  # inode
        self._sockets: frozenset[int] = frozenset()
        self._tracker = ("", 0)
        self._siblings: Sequence[Membership] = ()
        self._outcome: Any = None
        self._error: BaseException | None = None

    def join(self, siblings: Sequence[Membership] = ()) -> None:
        """Begin to join the group, if there is another member.

        Args:
            siblings: other members in this process, to be called back if this one fails.
        """
        self._siblings = siblings
        if self._world_size == 1:
            self._joined.set()
            return
        self._threads = frozenset(os.listdir("/proc/self/task"))
        threading.Thread(target=self._live, name="group", daemon=True).start()
        if siblings:
            self._wait_until_listening()

    def wait_joined(self) -> bool:
        """Wait until it has joined or cannot join any more; returns whether it has."""
        self._joined.wait()
        return self._error is None and not self._aborted

    def give(self, work: Callable[[], Any]) -> None:
        """Begin `work()` as a member of the group; in a group of one, do it."""
        if self._world_size > 1:
            self._work.put(work)
            return
        try:
            self._outcome = work()
        except BaseException as error:
            self._error = error
        self._done.set()
        self._changed.set()

    def wait(self, elsewhere: Callable[[], bool] = lambda: False) -> Any:
        """What the work returned. For `elsewhere` see `run_together`.

        Raises:
            ConnectionAbortedError: `abort` was called.
            BaseException: what the work raised.
        """
        self._changed.wait()
        looks = 0
        while not self._done.wait(_LOOK_SECONDS):
            looks = 0 if elsewhere() or self._is_computing() else looks + 1
            if looks == _LOOKS:
                raise ConnectionAbortedError("the collective call did not come back")
        if self._error is not None:
            raise self._error
        return self._outcome

    def abort(self) -> None:
        """Make `wait` end at once. May be called from any thread and at any time."""
        with self._lock:
            self._aborted = True
            if not self._done.is_set():
                self._break_connections()
        self._work.put(None)
        self._joined.set()
        self._changed.set()

    def _live(self) -> None:
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
            threading.Thread(target=self._hurry, name="join-group", daemon=True).start()
            collective.init(**self._arguments, **timeout)
            ours = self._find_own()
            with self._lock:
                self._sockets = ours
                if self._aborted:
                    self._break_connections()
            self._joined.set()
            work = self._work.get()
            if work is None:
                raise ConnectionAbortedError("aborted before there was work")
            self._outcome = work()
            collective.finalize()
        except BaseException as error:
            self._error = error
            broken = True
        self._done.set()
        self._joined.set()
        self._changed.set()
        if broken:
            for sibling in self._siblings:
                sibling.abort()
            self._leave_broken()

    def _leave_broken(self) -> None:
        """Leave a group that broke; nobody waits for it.

        XGBoost signs off at the tracker first, and a tracker that has given up never answers, so
        that is cut short.
        """
        from xgboost import collective

        left = threading.Event()

        def cut_short() -> None:
            while not left.wait(0.01):
                with self._lock:
                    # Whoever listens here by now is a member of the next group.
                    self._break_connections(listening=False)

        threading.Thread(target=cut_short, name="leave-group", daemon=True).start()
        for _ in range(100):
            with contextlib.suppress(Exception):
                collective.finalize()
            if not collective.is_distributed():
                left.set()
                return
        left.set()
        # A thread that ends as a member has XGBoost's destructor end the process.
        threading.Event().wait()

    def _hurry(self) -> None:
        """Send at once what is written while the member joins."""
        pause = _HURRY_SECONDS
        while not self._joined.wait(pause):
            pause = min(1.5 * pause, _HURRY_SECONDS_MOST)
            for fd in self._new_sockets().values():
                _send_at_once(fd)

    def _is_computing(self) -> bool:
        """Whether a thread of this process that is younger than this membership runs or could run:
        its own, or one that XGBoost started for it. Ray's are older, and some of them always do."""
        mine = str(threading.get_native_id())
        for name in set(os.listdir("/proc/self/task")) - self._threads - {mine}:
            with (
                contextlib.suppress(OSError),
                open(f"/proc/self/task/{name}/stat") as file,
            ):
                if file.read().rsplit(")", 1)[1].split()[0] in "RD":
                    return True
        return False

    def _break_connections(self, listening: bool = True) -> None:
        if self._before is None:
            return
        new = self._new_sockets()
        pairs = {fd: _ends(fd) for fd in new.values()}
        victims = {fd for fd, p in pairs.items() if p is not None and p[1] == self._tracker}
        victims.update(fd for inode, fd in new.items() if inode in self._sockets)
        if listening and not self._sockets:
            # Still joining, perhaps waiting for a neighbor on its first listening socket. The
            # second one must not be touched: XGBoost ends the process when that one wakes up.
            first = self._listener or next(iter(self._listening(new)), None)
            victims.update(fd for inode, fd in new.items() if inode == first)
        for fd in victims:
            _shut_down(fd)

    def _wait_until_listening(self) -> None:
        """Until the sockets at which this member waits for its neighbors can be told from those
        that the next member in this process is about to open."""
        deadline = time.monotonic() + _LISTENING_SECONDS
        while not self._done.wait(0.001) and time.monotonic() < deadline:
            if self._before is None:
                continue
            listening = self._listening(self._new_sockets())
            if len(listening) > 1 or self._sockets:
                self._listener = next(iter(listening), None)
                return

    @staticmethod
    def _listening(sockets: dict[int, int]) -> list[int]:
        """The inodes of those sockets at which members listen, in the order in which they were
        opened. They listen at every address, a tracker at one: XGBoost would wait for ever for one
        whose socket is shut down while it starts."""
        ends = {inode: (fd, _ends(fd)) for inode, fd in sockets.items()}
        found = [
            (fd, inode)
            for inode, (fd, pair) in ends.items()
            if pair is not None and pair[1] is None and pair[0][0] in _EVERY_ADDRESS
        ]
        return [inode for _, inode in sorted(found)]

    def _find_own(self) -> frozenset[int]:
        """The sockets that this group uses, told from those that Ray opened meanwhile.

        A connection between two members has its two ends in two members' lists; one to the
        tracker is known by its address.
        """
        from xgboost import collective

        ends = {inode: _ends(fd) for inode, fd in self._new_sockets().items()}
        mine = [(e[0], e[1]) for e in ends.values() if e is not None and e[1] is not None]
        rank, world_size = collective.get_rank(), collective.get_world_size()
        nothing: Any = None
        everyone: list[list[Any]] = [
            told_by(r, mine if rank == r else nothing) for r in range(world_size)
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
    """The trackers of successive groups.

    None is used twice, because a second start would end live members. One more than needed is kept
    ready, because XGBoost checks only ten times a second whether a new one has started.
    """

    def __init__(self) -> None:
        # Freeing a tracker whose members died blocks, so all stay (a few kB each).
        self._kept: list[Any] = []
        self._spare: tuple[tuple[int, str], Any] | None = None
        self._lock = threading.Lock()

    def start(self, world_size: int, host: str) -> dict[str, Any]:
        """Start a tracker for `world_size` members on this machine; its arguments for them."""
        spare = self._take_spare()
        tracker = (
            spare[1] if spare and spare[0] == (world_size, host) else self._make(world_size, host)
        )

        def wait() -> None:
            with contextlib.suppress(Exception):
                tracker.wait_for()

        threading.Thread(target=wait, name="xgboost-tracker", daemon=True).start()
        return dict(tracker.worker_args())

    def keep_ready(self, world_size: int, host: str) -> None:
        """Begin to make one for the next `start`."""

        def make() -> None:
            with contextlib.suppress(Exception):
                # If it cannot be made now, `start` says why.
                self._spare = (world_size, host), self._make(world_size, host)

        if self._spare is None:
            threading.Thread(target=make, name="spare-tracker", daemon=True).start()

    def _take_spare(self) -> tuple[tuple[int, str], Any] | None:
        with self._lock:
            spare, self._spare = self._spare, None
            return spare

    def _make(self, world_size: int, host: str) -> Any:
        from xgboost.tracker import RabitTracker

        tracker = RabitTracker(n_workers=world_size, host_ip=host, sortby="task")
        self._kept.append(tracker)
        tracker.start()
        return tracker


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


def _copy_of(fd: int) -> socket.socket:
    """A socket of its own for a descriptor, which others may close meanwhile; raises OSError."""
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _ends(fd: int) -> tuple[tuple[str, int], tuple[str, int] | None] | None:
    """Local and remote address of a TCP socket; remote is None for one that only listens."""
    try:
        copy = _copy_of(fd)
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


def _send_at_once(fd: int) -> None:
    with contextlib.suppress(OSError), _copy_of(fd) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
            copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _shut_down(fd: int) -> None:
    with contextlib.suppress(OSError), _copy_of(fd) as copy:
        copy.shutdown(socket.SHUT_RDWR)
