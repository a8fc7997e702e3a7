"""Gateways stay within the documented rights, and the test that says so can fail."""

import json
from typing import Any

import pytest
from kubernetes import client

from tests.clusters.kubernetes.audit import violation
from tests.clusters.kubernetes.cluster import GATEWAY_USER, KERNELS, Cluster
from tests.clusters.kubernetes.documented_rights import Right, documented_rights
from tests.clusters.kubernetes.pod_fleet import PodFleet

TABLE = """
| resource | verbs |
|---|---|
| `pods`, `secrets` | create, get, delete |
| `pods/log` | get |
| `configmaps` | create, if your templates create them |
| `namespaces` | create, get, with `namespace_per_kernel` (and `bind` for `kernel_cluster_role`) |

| other | table |
|---|---|
| `nodes` | get |
"""


def test_the_rights_are_those_of_the_document() -> None:
    assert documented_rights(TABLE) == [
        Right("configmaps", "create"),
        Right("namespaces", "create"),
        Right("namespaces", "get"),
        Right("pods", "create"),
        Right("pods", "delete"),
        Right("pods", "get"),
        Right("pods/log", "get"),
        Right("secrets", "create"),
        Right("secrets", "delete"),
        Right("secrets", "get"),
    ]
    assert Right("pods", "create") in documented_rights()


def entry(verb: str, uri: str, **target: str) -> dict[str, Any]:
    return {"verb": verb, "requestURI": uri, "objectRef": target or None}


PODS = f"/api/v1/namespaces/{KERNELS}/pods"
RIGHTS = [Right("pods", verb) for verb in ("create", "get", "delete", "list", "deletecollection")]


@pytest.mark.parametrize(
    "call",
    [
        entry("create", PODS, resource="pods"),
        entry("get", f"{PODS}/a", resource="pods", name="a"),
        entry("delete", f"{PODS}/a", resource="pods", name="a"),
        entry("list", f"{PODS}?labelSelector=kernel_id%3D1", resource="pods"),
        entry("get", "/api/v1"),
    ],
)
def test_what_a_gateway_may_ask(call: dict[str, Any]) -> None:
    assert violation(call, RIGHTS) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (entry("list", PODS, resource="pods"), "selects nothing"),
        (entry("list", f"{PODS}?labelSelector=", resource="pods"), "selects nothing"),
        (entry("deletecollection", PODS, resource="pods"), "selects nothing"),
        (entry("delete", f"{PODS}/", resource="pods"), "names no object"),
        (entry("watch", f"{PODS}?watch=1", resource="pods"), "does not name watch on pods"),
        (entry("get", "/api/v1/nodes/a", resource="nodes", name="a"), "get on nodes"),
        (
            entry("get", f"{PODS}/a/exec", resource="pods", subresource="exec", name="a"),
            "get on pods/exec",
        ),
        (entry("post", "/anything"), "about no object"),
    ],
)
def test_what_a_gateway_may_not_ask(call: dict[str, Any], words: str) -> None:
    assert words in (violation(call, RIGHTS) or "")


def test_the_audit_sees_what_a_gateway_asks_in_vain(cluster: Cluster) -> None:
    cluster.audit.entries(GATEWAY_USER)
    configuration = client.Configuration()
    with open(cluster.kubeconfig) as file:
        [user] = json.load(file)["users"]
    configuration.host = cluster.core.api_client.configuration.host
    configuration.ssl_ca_cert = str(cluster.plane.certificate)
    configuration.api_key = {"authorization": f"Bearer {user['user']['token']}"}
    with client.ApiClient(configuration) as api:
        core: Any = client.CoreV1Api(api)
        with pytest.raises(client.ApiException, match="forbidden"):
            core.delete_collection_namespaced_pod(KERNELS)
    [seen] = cluster.audit.entries(GATEWAY_USER)
    assert "docs/clusters.md does not name" in (violation(seen, documented_rights()) or "")


def test_a_life_of_a_kernel_needs_these_rights_and_no_others(fleet: PodFleet) -> None:
    fleet.cluster.audit.entries(GATEWAY_USER)
    kernel_id = fleet.started("pod")
    fleet.end(kernel_id)
    entries = fleet.cluster.audit.entries(GATEWAY_USER)
    assert {"create", "get", "delete"} <= {one["verb"] for one in entries}
    assert [violation(one, documented_rights()) for one in entries] == [None] * len(entries)
    assert {one["responseStatus"]["code"] for one in entries} <= {200, 201, 404}
