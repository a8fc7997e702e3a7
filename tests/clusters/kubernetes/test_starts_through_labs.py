"""Starts through real labs, which answer a page at once whatever the cluster does."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import pytest

from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.lab_fleet import COUNT, LabFleet, lab_fleet
from tests.clusters.kubernetes.page import Page
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.servers.seaweedfs import SeaweedFS

STARTS = 6
SECONDS = 240.0


@contextmanager
def frozen_api_server(cluster: Cluster) -> Iterator[None]:
    """Nothing that is asked of the cluster is answered."""
    process = cluster.plane.processes["kube-apiserver"]
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def healthy(_: Cluster) -> Any:
    """The cluster as it is."""
    return nullcontext()


def full(cluster: Cluster) -> Any:
    """The namespace has no room for a pod."""
    return cluster.quota(pods="0")


WAYS: dict[str, tuple[Callable[[Cluster], Any], str, str]] = {
    "the cluster is well": (healthy, "pod", ""),
    "its API server does not answer": (frozen_api_server, "pod", ""),
    "the quota is used up": (full, "pod", "exceeded quota: team"),
    "the image is missing": (healthy, "missing_image", MISSING_IMAGE),
}
"""What is wrong, the kernelspec, and what is in the reason if kernels do not run."""


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_lab_answers_a_page_while_the_cluster_says_nothing_or_no(
    audited: Cluster,
    seaweedfs: SeaweedFS,
    mariadb_database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with lab_fleet(audited, seaweedfs, mariadb_database, launch_seconds=SECONDS) as fleet:
        for number, (name, (way, kernelspec, words)) in enumerate(WAYS.items()):
            with ExitStack() as stack:
                stack.enter_context(way(audited))
                pages, seconds = _opened(fleet, f"demo/{number}", kernelspec)
                with capsys.disabled():
                    middle, most = statistics.median(seconds) * 1000, max(seconds) * 1000
                    print(f"\nPOST /api/sessions, {name}: {middle:.0f} ms, at most {most:.0f} ms")
                if words:
                    _all_come_to("dead", pages)
            if not words:
                # A cluster that did not answer does so again.
                _all_come_to("running", pages)
            for page in pages:
                assert page.session is not None
                assert words in page.session["kernel"]["reason"]
                page.close()
            wait_until(lambda: not audited.of_all_kernels(), SECONDS)


def _opened(fleet: LabFleet, path: str, kernelspec: str) -> tuple[list[Page], list[float]]:
    """Pages whose kernels are on their way, and how long their labs took to say so."""
    pages, seconds = [], []
    for number in range(STARTS):
        page = Page(fleet.labs, "ada", f"{path}-{number}.ipynb", number % COUNT)
        begun = time.perf_counter()
        page.open({"name": kernelspec})
        seconds.append(time.perf_counter() - begun)
        # It was answered before the cluster was: none has answered that has no room or no time.
        assert page.state == "launching"
        pages.append(page)
    return pages, seconds


def _all_come_to(state: str, pages: list[Page]) -> None:
    for page in pages:
        wait_until(lambda page=page: page.look() == state, SECONDS, 0.5)
