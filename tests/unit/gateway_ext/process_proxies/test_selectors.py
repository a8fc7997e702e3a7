"""What may be looked at, ended or removed is never found by a selector that matches everything."""

import os

import pytest

from gateway_ext.process_proxies.kubernetes_cluster import PODS, _path
from gateway_ext.process_proxies.process_session import kill_session
from gateway_ext.process_proxies.selectors import (
    ApplicationId,
    ApplicationTag,
    ObjectName,
    ObjectUid,
    Selector,
)
from gateway_ext.process_proxies.yarn_application_status import difference

TAG = "fleet-launch-0123456789abcdef"
APPLICATION = {
    "id": "application_1790000000000_0001",
    "name": "kernel-1",
    "user": "ada",
    "applicationTags": f"fleet-kernel-kernel-1,{TAG}",
}


@pytest.mark.parametrize("kind", [ApplicationTag, ApplicationId, ObjectName, ObjectUid])
@pytest.mark.parametrize("value", ["", " ", "*", "a,b", "a/b", "..", ".", "a b", "a\n", None, 7])
def test_a_selector_that_matches_more_than_one_thing_cannot_be_made(
    kind: type[Selector], value: str
) -> None:
    with pytest.raises(ValueError, match="is not "):
        kind(value)


def test_selectors_of_real_things_can_be_made() -> None:
    assert str(ApplicationTag(TAG)) == TAG
    assert ApplicationId("application_1790000000000_0001").value.endswith("_0001")
    assert ObjectName("ada-5f9c3f1e.example").value == "ada-5f9c3f1e.example"
    assert ObjectUid("3f0e5a4e-0000-4000-8000-000000000000").value
    path = _path(PODS, ObjectName("fleet"), ObjectName("ada-1"))
    assert path == "/api/v1/namespaces/fleet/pods/ada-1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"name": "nightly"}, "its name is 'nightly'"),
        ({"applicationTags": "fleet-kernel-kernel-1"}, "does not have the tag"),
        ({"applicationTags": f"{TAG}0"}, "does not have the tag"),
        ({"applicationTags": None}, "does not have the tag"),
        ({"user": "eve"}, "its user is 'eve'"),
        ({"user": ""}, "its user is ''"),
    ],
)
def test_an_application_is_compared_before_it_is_taken_for_the_kernel_s(
    change: dict[str, str], words: str
) -> None:
    found = difference({**APPLICATION, **change}, name="kernel-1", tag=TAG, user="ada")
    assert words in found
    assert bool(found) is bool(words)


def test_an_application_whose_user_is_not_known_is_compared_by_the_rest() -> None:
    assert not difference(APPLICATION, name="kernel-1", tag=TAG, user="")
    assert difference({**APPLICATION, "user": None}, name="kernel-1", tag=TAG, user="")


@pytest.mark.parametrize("session", [0, 1, -1])
def test_no_session_of_others_is_killed(session: int) -> None:
    with pytest.raises(ValueError, match="is not the session"):
        kill_session(session, os.getuid())
