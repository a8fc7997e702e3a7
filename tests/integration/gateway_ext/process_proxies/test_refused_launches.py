"""Launches of which the cluster refuses to make anything, and to show what there is."""

import dataclasses
import uuid

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet
from tests.integration.gateway_ext.process_proxies.test_claims_cut_off import killed
from tests.servers.kubernetes_api import status
from tests.servers.scripted_http import Answer, Request

FORBIDDEN = status(403, 'User "gateways" cannot use pods in "elsewhere"', "Forbidden")


@pytest.mark.parametrize(
    ("kernelspec", "path", "refusal", "words"),
    [
        ("pod", "/pods", FORBIDDEN, 'User "gateways" cannot use pods in "elsewhere"'),
        (
            "pod",
            "/pods",
            status(404, 'namespaces "kernels-demo" not found', "NotFound"),
            'namespaces "kernels-demo" not found',
        ),
        ("pod", "/pods", status(409, "the quota has changed", "Conflict"), "the quota has changed"),
        ("pod", "/pods", status(422, "spec: Invalid value", "Invalid"), "spec: Invalid value"),
        (
            "pod",
            "/pods",
            status(401, "Unauthorized", "Unauthorized"),
            "answers 401 Unauthorized: the gateways' credentials are refused or have expired",
        ),
        # Without the operator there is no such kind of object, and no path.
        (
            "operator",
            "/sparkapplications",
            Answer(404, "404 page not found", content_type="text/plain"),
            "404 page not found",
        ),
    ],
)
def test_a_launch_that_the_cluster_refuses_is_dead_at_once_and_can_be_deleted(
    fleet: ClusterFleet, kernelspec: str, path: str, refusal: Answer, words: str
) -> None:
    fleet.kubernetes.script("POST", path, refusal, forever=True)
    # Who may not make anything there may not look either.
    fleet.kubernetes.script("GET", path, FORBIDDEN, forever=True)
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(kernelspec, kernel_id=kernel_id)
    assert answer.status_code == 500, answer.text
    assert words in answer.json()["message"]
    model = fleet.model(kernel_id, 1)
    assert (model["state"], model["reason"]) == ("dead", answer.json()["message"])
    assert model["launch_failed"]
    fleet.end(kernel_id, 1)
    url = f"{fleet.gateways.urls[0]}/api/fleet/leftovers"
    assert kernel_id not in fleet.gateways.service().call("GET", url).text
    assert not fleet.kubernetes.asked("DELETE", kernel_id)


def test_a_refused_launch_can_be_started_again(fleet: ClusterFleet) -> None:
    fleet.kubernetes.script("POST", "/pods", FORBIDDEN, forever=True)
    fleet.kubernetes.script("GET", "/pods", FORBIDDEN, forever=True)
    kernel_id = str(uuid.uuid4())
    assert fleet.start("pod", kernel_id=kernel_id).status_code == 500
    fleet.kubernetes.end_scripts()
    fleet.restart(kernel_id)
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    fleet.end(kernel_id)


def test_a_creation_that_was_not_answered_is_looked_for_before_a_refusal_counts(
    fleet: ClusterFleet,
) -> None:
    # The first attempt may have made the pod.
    fleet.kubernetes.script("POST", "/pods", Answer(cut=True), FORBIDDEN, forever=True)
    fleet.kubernetes.script("GET", "/pods", FORBIDDEN, forever=True)
    kernel_id = fleet.begin("pod")
    wait_until(lambda: "it failed and is being ended" in str(fleet.model(kernel_id)["launch"]))
    assert fleet.model(kernel_id)["state"] == "launching"
    fleet.kubernetes.end_scripts()
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert fleet.nothing_left(kernel_id)
    fleet.end(kernel_id)


def test_what_is_made_long_after_a_refusal_by_a_call_that_was_not_answered_is_removed(
    fleet: ClusterFleet,
) -> None:
    kubernetes, real = fleet.kubernetes, fleet.kubernetes.answer
    late: list[Request] = []
    made: list[str] = []

    def answer(request: Request) -> Answer:
        if request.method == "POST" and request.path.endswith("/pods") and not made:
            late.append(request)
            # The first call is on its way for as long as it takes.
            return Answer(cut=True) if len(late) == 1 else FORBIDDEN
        found = real(request)
        if request.method == "GET" and "/pods/" in request.path and len(late) > 1 and not made:
            assert found.status == 404
            made.append(real(late[0]).body["metadata"]["name"])
        return found

    kubernetes.answer = answer  # type: ignore[method-assign]
    try:
        kernel_id = fleet.begin("pod")
        wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
        assert "cannot use pods" in fleet.model(kernel_id)["reason"]
        assert len(made) == 1
        assert fleet.nothing_left(kernel_id)
        fleet.end(kernel_id)
    finally:
        kubernetes.answer = real  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (FORBIDDEN, 'User "gateways" cannot use pods in "elsewhere"'),
        pytest.param(
            status(401, "Unauthorized", "Unauthorized"),
            "credentials are refused or have expired",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_refusal_that_its_gateway_did_not_live_to_record_is_the_end_at_another_one_too(
    fleet: ClusterFleet, refusal: Answer, words: str
) -> None:
    # Killed while it waits for the answer, which nobody else hears.
    slow = dataclasses.replace(refusal, delay=1.0)
    fleet.kubernetes.script("POST", "/pods", slow, refusal, forever=True)
    fleet.kubernetes.script("GET", "/pods", refusal, forever=True)
    kernel_id = fleet.begin("pod")
    posts = fleet.kubernetes.asked
    wait_until(lambda: any(kernel_id in str(one.body) for one in posts("POST", "/pods")))
    with killed(fleet, 0):
        wait_until(lambda: fleet.model(kernel_id, 1)["state"] == "dead", 60)
        assert words in fleet.model(kernel_id, 1)["reason"]
        # What the other one may have made after all is removed as soon as that can be seen.
        fleet.end(kernel_id, 1)
        fleet.kubernetes.end_scripts()
        url, service = f"{fleet.gateways.urls[1]}/api/fleet/leftovers", fleet.gateways.service()
        wait_until(lambda: kernel_id not in service.call("GET", url).text, 60)
    assert fleet.nothing_left(kernel_id)


def test_credentials_that_are_renewed_meanwhile_start_the_kernel(fleet: ClusterFleet) -> None:
    unauthorized = status(401, "Unauthorized", "Unauthorized")
    fleet.kubernetes.script("POST", "/pods", unauthorized, None)
    fleet.end(fleet.started("pod"))


def test_a_gateway_says_how_its_clusters_answer(fleet: ClusterFleet) -> None:
    url, service = f"{fleet.gateways.urls[0]}/api/fleet/clusters", fleet.gateways.service()

    def said() -> dict[str, tuple[str, str]]:
        answers = service.call("GET", url).json()
        return {one["name"]: (one["state"], one["message"]) for one in answers}

    assert said() == dict.fromkeys(("kubernetes", "yarn"), ("answers", ""))
    # For good: the gateways ask by themselves as well.
    unauthorized = status(401, "Unauthorized", "Unauthorized")
    fleet.kubernetes.script("GET", "/pods", unauthorized, forever=True)
    state, words = said()["kubernetes"]
    assert state == "refused"
    assert f"at {fleet.kubernetes.url} answers 401 Unauthorized" in words
    fleet.kubernetes.end_scripts()
    fleet.kubernetes.script("GET", "/pods", FORBIDDEN, forever=True)
    assert said()["kubernetes"] == ("denied", "the gateways have no rights in namespace fleet")
    fleet.kubernetes.end_scripts()
    assert fleet.gateways.client().call("GET", url).status_code == 403


def test_a_start_says_early_that_the_cluster_does_not_answer(fleet: ClusterFleet) -> None:
    # A little less than a gateway waits.
    fleet.kubernetes.script("POST", "/pods", Answer(delay=1.9, cut=True), forever=True)
    kernel_id = fleet.begin("pod")
    words = "the API server does not answer"
    wait_until(lambda: (fleet.model(kernel_id)["launch"] or {}).get("message") == words)
    fleet.end(kernel_id)
