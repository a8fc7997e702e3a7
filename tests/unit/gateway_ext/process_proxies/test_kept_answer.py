"""Who waits for an answer, and who gets an old one meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_ext.process_proxies.kept_answer import KeptAnswer, NotFound


def test_an_answer_that_all_is_well_is_found_once() -> None:
    kept, found = KeptAnswer(0), iter([""])
    assert [kept.get(lambda: next(found)) for _ in range(2)] == ["", ""]


def test_others_get_the_old_answer_while_a_newer_one_is_looked_for() -> None:
    kept, begun, go_on = KeptAnswer(0), threading.Event(), threading.Event()
    assert kept.get(lambda: "old") == "old"

    def find() -> str:
        begun.set()
        return "new" if go_on.wait(20) else "too late"

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(kept.get, find)
        assert begun.wait(20)
        try:
            assert pool.submit(kept.get, lambda: "third").result(10) == "old"
        finally:
            go_on.set()
        assert looking.result(20) == "new"


class AnnouncingLock:
    """A lock that tells who comes for it."""

    def __init__(self) -> None:
        self.comers = threading.Semaphore(0)
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self, blocking: bool) -> bool:
        self.comers.release()
        return self._lock.acquire(blocking)


def test_the_first_ones_wait_together_for_a_failure_that_is_not_kept() -> None:
    kept, lock, go_on, tries = KeptAnswer(60), AnnouncingLock(), threading.Event(), []
    kept._looking = lock  # type: ignore[assignment]

    def fail() -> str:
        tries.append(1)
        go_on.wait(20)
        raise NotFound("too slow")

    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(kept.get, fail) for _ in range(3)]
        came = [lock.comers.acquire(timeout=20) for _ in waiting]
        go_on.set()
        errors = [str(one.exception(20)) for one in waiting]
    assert (came, errors, tries) == ([True] * 3, ["too slow"] * 3, [1])
    assert kept.get(lambda: "found") == "found"


def test_an_old_answer_outlives_a_failure() -> None:
    kept = KeptAnswer(0)
    kept.get(lambda: "old")

    def fail() -> str:
        raise NotFound("too slow")

    assert kept.get(fail) == "old"
    fresh = KeptAnswer(0)
    with pytest.raises(NotFound):
        fresh.get(fail)
