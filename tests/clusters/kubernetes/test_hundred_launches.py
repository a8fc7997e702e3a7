"""A hundred launches, many of which fail on the way, while gateways are killed."""

import os
import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet, pod_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

LAUNCHES = 100
AT_ONCE = 10
KILL_EVERY = 20
SECONDS = 300.0
CANCEL_WITHIN = 4.0


@dataclass(frozen=True)
class Kind:
    """One way in which a launch can go."""

    kernelspec: str
    share: int
    words: str = ""
    """In the reason, unless the gateway was killed meanwhile; empty if it may run."""
    cancelled: bool = False


KINDS = (
    Kind("pod", 40),
    Kind("pod", 20, cancelled=True),
    Kind("huge", 10, cancelled=True),
    Kind("missing_image", 10, MISSING_IMAGE),
    Kind("greedy", 10, "exceeded quota: team"),
    Kind("invalid", 10, "quantities must match the regular expression"),
)


class Launch:
    """One launch, by a client that asks again wherever a gateway answers."""

    def __init__(self, fleet: PodFleet, kind: Kind, chance: random.Random) -> None:
        self.kernel_id = str(uuid.uuid4())
        self.kind = kind
        self.outcome: Any = None
        self._fleet = fleet
        self._cancel_after = chance.uniform(0, CANCEL_WITHIN)
        self._first = chance.randrange(2)

    def run(self) -> None:
        """Begins the launch, and cancels it if that is its kind; returns when it is over, and its
        kernel ended if it ran: a hundred at the same time would need too much memory."""
        body = {"name": self.kind.kernelspec, "kernel_id": self.kernel_id}
        self._until(lambda url: self._call("POST", f"{url}/api/kernels", json=body), (201,))
        if self.kind.cancelled:
            # At any step of it.
            threading.Event().wait(self._cancel_after)
            self._delete()
        wait_until(self._is_over, SECONDS, 0.5)
        if self.outcome.get("state") == "running":
            self._delete()

    def _is_over(self) -> bool:
        self.outcome = self.model()
        return self.outcome.get("state") in ("running", "dead", None)

    def _delete(self) -> None:
        path = f"/api/kernels/{self.kernel_id}"
        self._until(lambda url: self._call("DELETE", url + path), (204, 404))

    def model(self) -> Any:
        """The kernel, as a gateway tells; a message without a state if it does not exist."""
        path = f"/api/kernels/{self.kernel_id}"
        return self._until(lambda url: self._call("GET", url + path), (200, 404)).json()

    def _call(self, method: str, url: str, **options: Any) -> requests.Response:
        client = self._fleet.gateways.client()
        client.headers["X-Fleet-Start"] = "async"
        answer: requests.Response = client.call(method, url, **options)
        return answer

    def _until(
        self, ask: Callable[[str], requests.Response], statuses: tuple[int, ...]
    ) -> requests.Response:
        answers: list[requests.Response] = []

        def answered() -> bool:
            urls = self._fleet.gateways.urls
            for url in (urls[self._first], urls[1 - self._first]):
                try:
                    answers.append(ask(url))
                except requests.RequestException:
                    continue
                if answers[-1].status_code in statuses:
                    return True
                assert answers[-1].status_code == 503, answers[-1].text
            return False

        wait_until(answered, SECONDS, 0.5)
        return answers[-1]


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_every_launch_ends_running_or_dead_with_a_reason_and_leaves_nothing(
    audited: Cluster,
) -> None:
    seed = os.environ.get("LAUNCHES_SEED") or uuid.uuid4().hex[:8]
    print(f"LAUNCHES_SEED={seed}")
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS for _ in range(kind.share)]
    assert len(kinds) == LAUNCHES
    chance.shuffle(kinds)
    quota = audited.quota(**{"requests.cpu": "40"})
    with quota, pod_fleet(audited) as fleet, ThreadPoolExecutor(AT_ONCE) as threads:
        launches = [Launch(fleet, kind, chance) for kind in kinds]
        under_way = [threads.submit(launch.run) for launch in launches]
        for number, done in enumerate(as_completed(under_way), 1):
            done.result()
            if number % KILL_EVERY == 0 and number < LAUNCHES:
                gateway = number // KILL_EVERY % 2
                fleet.gateways.processes[gateway].kill()
                fleet.gateways.start_again(gateway)
        for launch in launches:
            _check(launch)
        wait_until(lambda: not audited.of_all_kernels(), SECONDS)


def _check(launch: Launch) -> None:
    model, kind = launch.outcome, launch.kind
    if kind.cancelled:
        assert model.get("state") is None, model
    elif kind.words:
        assert model["state"] == "dead"
        ended = "its gateway had ended" in model["reason"]
        assert kind.words in model["reason"] or ended, model
    else:
        assert model["state"] in ("running", "dead")
        assert model["state"] == "running" or model["reason"], model
