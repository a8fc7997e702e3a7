"""Which answers of clusters mean no, and which mean nothing."""

import pytest

from gateway_ext.process_proxies import kubernetes_cluster, yarn_cluster
from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)

QUOTA = (
    'pods \\"ada-1\\" is forbidden: exceeded quota: team, requested: pods=1, used: pods=10, '
    "limited: pods=10"
)


def k8s_status(code: int, reason: str, message: str) -> bytes:
    return (
        f'{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{message}",'
        f'"reason":"{reason}","code":{code}}}'
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason", "words"),
    [
        (403, k8s_status(403, "Forbidden", QUOTA), ClusterRefused, "Forbidden", "exceeded quota"),
        (404, k8s_status(404, "NotFound", "no pod"), ClusterRefused, "NotFound", "no pod"),
        # A path that the server does not know says nothing of the object.
        (404, b"404 page not found\n", ClusterRefused, "", "page not found"),
        (409, k8s_status(409, "AlreadyExists", "x"), ClusterRefused, "AlreadyExists", "x"),
        (410, k8s_status(410, "Expired", "too old"), ClusterRefused, "Expired", "too old"),
        (422, k8s_status(422, "Invalid", "spec"), ClusterRefused, "Invalid", "spec"),
        (401, k8s_status(401, "Unauthorized", "who"), CredentialsRefused, None, "401 Unauthorized"),
        (429, k8s_status(429, "TooManyRequests", "later"), ClusterSilent, None, "later"),
        (500, k8s_status(500, "InternalError", "etcd"), ClusterSilent, None, "etcd"),
        (503, b"<html>no backend</html>", ClusterSilent, None, "no backend"),
    ],
)
def test_kubernetes(
    status: int, body: bytes, kind: type[Exception], reason: str | None, words: str
) -> None:
    error = kubernetes_cluster.refusal_from(status, body)
    assert isinstance(error, kind)
    assert words in str(error)
    assert reason is None or (isinstance(error, ClusterRefused) and error.reason == reason)


@pytest.mark.parametrize(
    ("status", "unmade"), [(401, True), (429, True), (408, False), (500, False), (504, False)]
)
def test_only_a_call_that_was_not_let_in_has_certainly_made_nothing(
    status: int, unmade: bool
) -> None:
    error = kubernetes_cluster.refusal_from(status, b"")
    assert isinstance(error, ClusterSilent)
    assert error.unmade is unmade


def remote(status: int, body: str) -> str:
    return f"Response finished with status: {status}. Details: {body}"


NOT_FOUND = (
    '{"RemoteException":{"exception":"NotFoundException","message":"java.lang.Exception: app with '
    'id: application_1_0001 not found",'
    '"javaClassName":"org.apache.hadoop.yarn.webapp.NotFoundException"}}'
)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (remote(404, NOT_FOUND), ClusterRefused, "not found"),
        (remote(403, "<html>forbidden</html>"), ClusterRefused, "forbidden"),
        (remote(307, "This is standby RM"), ClusterSilent, "standby"),
        (remote(500, "<html>oh</html>"), ClusterSilent, "oh"),
        ("something else", ClusterSilent, "something else"),
    ],
)
def test_yarn(text: str, kind: type[Exception], words: str) -> None:
    error = yarn_cluster.refusal_from(text)
    assert isinstance(error, kind)
    assert words in str(error)
    if isinstance(error, ClusterRefused) and error.status == 404:
        assert error.reason == "NotFoundException"


def test_an_authority_of_ones_own_is_trusted() -> None:
    authorities = yarn_cluster.certificate_authorities
    assert authorities({}) is True
    assert authorities({"SSL_CERT_FILE": ""}) is True
    assert authorities({"SSL_CERT_FILE": "/own.pem", "SSL_CERT_DIR": "/certs"}) == "/own.pem"
    assert authorities({"SSL_CERT_FILE": "/own.pem", "EG_YARN_CERT_BUNDLE": "/rm.pem"}) == "/rm.pem"
