"""Which calls to the ResourceManager a gateway may make."""

from __future__ import annotations

import pytest

from tests.clusters.yarn.audit import Call, violation

APPS = "/ws/v1/cluster/apps"
OURS, OTHERS = "application_1_0001", "application_1_0002"
KILL = '{"state": "KILLED"}'


@pytest.mark.parametrize(
    "call",
    [
        Call("GET", "/ws/v1/cluster/info", {}, ""),
        Call("GET", APPS, {"applicationTags": ["fleet-launch-1"]}, ""),
        Call("GET", f"{APPS}/{OURS}", {}, ""),
        Call("PUT", f"{APPS}/{OURS}/state", {"user.name": ["ada"]}, KILL),
    ],
)
def test_what_gateways_need_is_allowed(call: Call) -> None:
    assert violation(call, {OTHERS}) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("GET", APPS, {}, ""), "a list that is not of the tags of launches"),
        (Call("GET", APPS, {"applicationTags": [""]}, ""), "a list that is not of the tags"),
        (Call("GET", APPS, {"applicationTags": ["fleet-launch-1,"]}, ""), "a list that is not"),
        (Call("POST", APPS, {"applicationTags": ["fleet-launch-1"]}, "{}"), "a list that is not"),
        (Call("GET", f"{APPS}/{OTHERS}", {}, ""), "an application that is no kernel"),
        (Call("PUT", f"{APPS}/{OTHERS}/state", {}, KILL), "an application that is no kernel"),
        (
            Call("PUT", f"{APPS}/{OURS}/state", {}, '{"state": "RUNNING"}'),
            "not a documented change",
        ),
        (Call("PUT", f"{APPS}/{OURS}", {}, KILL), "not a documented change"),
        (Call("GET", "/ws/v1/cluster/scheduler", {}, ""), "not a documented call"),
        (Call("DELETE", f"{APPS}/{OURS}", {}, ""), "not a documented change"),
    ],
)
def test_everything_else_is_a_violation(call: Call, words: str) -> None:
    found = violation(call, {OTHERS})
    assert found is not None
    assert found.startswith(words)
