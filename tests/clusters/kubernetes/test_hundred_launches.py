"""A hundred notebooks, the kernels of which mostly fail on their way, while labs and gateways are
killed."""

import os
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
import requests

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.lab_fleet import COUNT, LabFleet, lab_fleet
from tests.clusters.kubernetes.page import Page
from tests.clusters.kubernetes.pod_fleet import environment
from tests.clusters.kubernetes.slow_registry import slow_registry
from tests.integration.gateway_ext.fleet_of_gateways import kernel_python, wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS
from tests.servers.seaweedfs import SeaweedFS

LAUNCHES = 100
AT_ONCE = 10
USERS = ("ada", "bob")
"""Each has a page with each notebook, at another lab than the other."""
KILL_EVERY = 8
SECONDS = 300.0
CANCEL_WITHIN = 5.0
PULL_SECONDS = 6.0


@dataclass(frozen=True)
class Kind:
    """One way in which a launch can go."""

    kernelspec: str
    share: int
    words: str = ""
    """In the reason for which it fails; empty if it runs."""
    canceled: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    """In the answer to a start that is not begun."""


KINDS = (
    Kind("pod", 25),
    Kind("slow", 10),
    Kind("pod", 15, canceled=True),
    Kind("slow", 10, canceled=True),
    Kind("huge", 10, canceled=True),
    Kind("missing_image", 10, MISSING_IMAGE),
    Kind("greedy", 10, "exceeded quota: team"),
    Kind("invalid", 5, "quantities must match the regular expression"),
    Kind("pod", 5, options={"cpus": 64}, refused="cpus"),
)


class Notebook:
    """One notebook, which two users open at the same time."""

    def __init__(self, fleet: LabFleet, number: int, kind: Kind, chance: random.Random) -> None:
        self.kind = kind
        self.path = f"demo/{number:03}-{kind.kernelspec}.ipynb"
        self.kernel_ids: set[str] = set()
        self.reason = ""
        first = chance.randrange(COUNT)
        self.pages = [
            Page(fleet.labs, user, self.path, (first + one) % COUNT)
            for one, user in enumerate(USERS)
        ]
        self._cancel_after = [chance.uniform(0, CANCEL_WITHIN) for _ in USERS]

    def run(self, threads: ThreadPoolExecutor) -> None:
        """Opens the notebook, and cancels the start if that is its kind. Returns when the start is
        over, and the kernel ended: a hundred at the same time would need too much memory."""
        list(threads.map(self._open, self.pages))
        if self.kind.refused:
            return
        if self.kind.canceled:
            list(threads.map(self._cancel, self.pages, self._cancel_after))
        else:
            [state] = {self._outcome(page) for page in self.pages}
            if state == "running":
                # By a lab's word alone it would be the word of a record.
                assert {page.run("print(6 * 7)").strip() for page in self.pages} == {"42"}
            for page in self.pages:
                page.close()
        kernel_id = self.pages[0].kernel_id
        wait_until(lambda: self.pages[0].is_gone(kernel_id), SECONDS, 0.5)

    def _open(self, page: Page) -> None:
        page.open({"name": self.kind.kernelspec, "launch_options": dict(self.kind.options)})
        if page.session is not None:
            self.kernel_ids.add(page.kernel_id)

    def _cancel(self, page: Page, after: float) -> None:
        # At any step of the start.
        time.sleep(after)
        page.close()

    def _outcome(self, page: Page) -> str:
        wait_until(lambda: page.look() in ("running", "dead", ""), SECONDS, 0.5)
        assert page.session is not None, f"{self.path}: the session is gone"
        self.kernel_ids.add(page.kernel_id)
        self.reason = page.session["kernel"]["reason"]
        return page.state

    def check(self) -> None:
        """Asserts that it went as its kind says."""
        kind, refusals = self.kind, [page.refusal for page in self.pages]
        if kind.refused:
            assert all(kind.refused in refusal for refusal in refusals), refusals
            assert not self.kernel_ids
            return
        assert refusals == ["", ""]
        assert len({page.kernel_id for page in self.pages}) == 1, f"{self.path} has two kernels"
        # Where a start fails at once, the second page may come later and start another kernel.
        assert len(self.kernel_ids) == 1 or kind.words, f"{self.path} had {self.kernel_ids}"
        if not kind.canceled:
            expected = "dead" if kind.words else "running"
            states = {page.state for page in self.pages}
            assert states == {expected}, f"{self.path} is {states}: {self.reason}"
            assert kind.words in self.reason


class KernelCount:
    """Looks at all kernels again and again: no notebook may have two at any time."""

    def __init__(self, fleet: LabFleet) -> None:
        self.violations: list[str] = []
        self.looks = 0
        self._fleet = fleet
        self._over = Event()

    def run(self) -> None:
        """Looks until `end`."""
        while not self._over.wait(0.3):
            for url in self._fleet.pods.gateways.urls:
                try:
                    answer = self._fleet.pods.gateways.client().call("GET", f"{url}/api/kernels")
                except requests.RequestException:
                    continue
                if answer.status_code == 200:
                    self._look(answer.json())
                    break

    def _look(self, kernels: list[dict[str, Any]]) -> None:
        self.looks += 1
        living = defaultdict(list)
        for kernel in kernels:
            if kernel["state"] != "dead":
                living[kernel["path"]].append(f"{kernel['id']} ({kernel['state']})")
        self.violations += [
            f"{path}: {', '.join(found)}" for path, found in living.items() if len(found) > 1
        ]

    def end(self) -> None:
        """Ends `run`."""
        self._over.set()


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_every_launch_ends_running_or_dead_with_a_reason_and_leaves_nothing(
    audited: Cluster, seaweedfs: SeaweedFS, mariadb_database: str
) -> None:
    seed = os.environ.get("LAUNCHES_SEED") or uuid.uuid4().hex[:8]
    print(f"LAUNCHES_SEED={seed}")
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS for _ in range(kind.share)]
    assert len(kinds) == LAUNCHES
    chance.shuffle(kinds)
    with (
        slow_registry(PULL_SECONDS) as registry,
        audited.quota(**{"requests.cpu": "40"}),
        lab_fleet(audited, seaweedfs, mariadb_database, launch_seconds=SECONDS) as fleet,
        ThreadPoolExecutor(AT_ONCE + 1) as threads,
        ThreadPoolExecutor(2 * AT_ONCE) as threads_of_pages,
    ):
        fleet.pods.add_kernelspec(
            "slow",
            OURS / "python_kubernetes",
            env=environment(),
            image_name=registry.image,
            python=kernel_python(),
        )
        count = KernelCount(fleet)
        counting = threads.submit(count.run)
        notebooks = [Notebook(fleet, n, kind, chance) for n, kind in enumerate(kinds)]
        under_way = [threads.submit(one.run, threads_of_pages) for one in notebooks]
        try:
            _kill_in_turn(fleet, as_completed(under_way), chance)
        finally:
            count.end()
            # After a failure there is no point in the others.
            for launch in under_way:
                launch.cancel()
        counting.result()
        assert count.looks
        assert not count.violations
        assert registry.pulls
        for notebook in notebooks:
            notebook.check()
        wait_until(lambda: not audited.of_all_kernels(), SECONDS)
        for url in (*fleet.labs.urls, *fleet.pods.gateways.urls):
            kernels = fleet.labs.client().call("GET", f"{url}/api/kernels").json()
            # The record of one that failed stays when its sessions have got another one.
            assert {kernel["state"] for kernel in kernels} <= {"dead"}
        for url in fleet.labs.urls:
            assert fleet.labs.client().call("GET", f"{url}/api/sessions").json() == []


def _kill_in_turn(fleet: LabFleet, done: Any, chance: random.Random) -> None:
    """Kills labs and gateways in turn, and starts them again, until all is `done`. In the test's
    own thread: servers end with the thread that started them."""
    labs, gateways = fleet.labs, fleet.pods.gateways
    victims = [(servers, one) for one in range(COUNT) for servers in (labs, gateways)]
    for number, one in enumerate(done, 1):
        one.result()
        if number % KILL_EVERY == 0 and number < LAUNCHES:
            # Not always when a launch has just ended.
            time.sleep(chance.uniform(0, 2))
            servers, victim = victims[number // KILL_EVERY % len(victims)]
            servers.processes[victim].kill()
            time.sleep(chance.uniform(0, 3))
            servers.start_again(victim)
