"""When callers that wait for a launch are answered, and with what."""

import time
from typing import Any

import pytest
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from jupyter_ext.kernels.launches import (
    LaunchFailed,
    StillLaunching,
    alive,
    answers_at_once,
    launching,
    seconds_to_answer,
    until_it_runs,
)

LAUNCHING = {"id": "k", "state": "launching", "execution_state": "starting", "launch": None}
RUNNING = {"id": "k", "state": "running", "execution_state": "idle"}
DEAD = {"id": "k", "state": "dead", "execution_state": "dead", "reason": "quota of 5 % is used up"}
UNREACHABLE = {"id": "k", "state": "unreachable", "execution_state": "unknown"}


def answering(*answers: dict[str, Any] | int) -> Any:
    """What gateways answer, one after the other: models, or the statuses of errors."""
    left = list(answers)

    async def ask(kernel_id: str) -> dict[str, Any]:
        assert kernel_id == "k"
        answer = left.pop(0)
        if isinstance(answer, int):
            raise web.HTTPError(answer, "said the gateway")
        return answer

    return ask


async def wait(*answers: dict[str, Any] | int) -> dict[str, Any]:
    return await until_it_runs(LAUNCHING, answering(*answers), time.monotonic() + 20)


async def test_whoever_waits_gets_the_running_kernel_however_often_nobody_could_tell() -> None:
    assert await wait(LAUNCHING, 503, 599, RUNNING) is RUNNING
    # A kernel that runs already, also one of an earlier gateway, is not asked for.
    assert await until_it_runs(RUNNING, answering(), 0.0) is RUNNING


@pytest.mark.parametrize(
    ("answer", "reason"), [(DEAD, DEAD["reason"]), (404, "shut down"), ({**DEAD, "reason": ""}, "")]
)
async def test_whoever_waits_is_told_why_it_failed(
    answer: dict[str, Any] | int, reason: str
) -> None:
    with pytest.raises(LaunchFailed) as told:
        await wait(LAUNCHING, answer)
    assert (told.value.status_code, told.value.fields["kernel_id"]) == (500, "k")
    assert reason in told.value.message == told.value.fields["reason"] != ""


async def test_whoever_may_not_see_the_kernel_any_more_is_told_that() -> None:
    with pytest.raises(web.HTTPError) as told:
        await wait(403)
    assert told.value.status_code == 403


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        (None, ""),
        ({"phase": "queued", "message": ""}, "queued"),
        ({"phase": "pulling", "message": "image: 40 %"}, "image: 40 %"),
    ],
)
async def test_at_the_deadline_the_words_of_the_launch_are_told(
    launch: dict[str, str] | None, words: str
) -> None:
    with pytest.raises(StillLaunching) as told:
        await until_it_runs({**LAUNCHING, "launch": launch}, answering(), time.monotonic())
    assert told.value.status_code == 503
    assert told.value.fields == {"reason": words, "kernel_id": "k"}
    assert told.value.message.endswith(words or "started")


def test_only_a_dead_kernel_is_not_alive() -> None:
    assert [alive(model) for model in (LAUNCHING, RUNNING, UNREACHABLE, DEAD)] == [True] * 3 + [
        False
    ]
    assert [launching(model) for model in (LAUNCHING, RUNNING, UNREACHABLE, DEAD)] == [True] + [
        False
    ] * 3


@pytest.mark.parametrize(
    ("value", "at_once"), [("async", True), (" Async ", True), ("sync", False), (None, False)]
)
def test_only_who_asks_for_it_gets_a_kernel_that_does_not_run(
    value: str | None, at_once: bool
) -> None:
    headers = HTTPHeaders({"Host": "lab"} | ({"X-Fleet-Start": value} if value else {}))
    line = RequestStartLine("POST", "/", "HTTP/1.1")
    assert answers_at_once(HTTPServerRequest(start_line=line, headers=headers)) == at_once


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        (None, 60.0),
        ({}, 60.0),
        ({"KERNEL_LAUNCH_TIMEOUT": "7.5"}, 7.5),
        ({"KERNEL_LAUNCH_TIMEOUT": 40}, 40.0),
        ({"KERNEL_LAUNCH_TIMEOUT": "3600"}, 60.0),
        ({"KERNEL_LAUNCH_TIMEOUT": "nan"}, 60.0),
        ({"KERNEL_LAUNCH_TIMEOUT": "-1"}, 60.0),
        ({"KERNEL_LAUNCH_TIMEOUT": "soon"}, 60.0),
        ({"KERNEL_LAUNCH_TIMEOUT": []}, 60.0),
        ("KERNEL_LAUNCH_TIMEOUT", 60.0),
    ],
)
def test_a_client_is_answered_before_it_gives_up(env: Any, seconds: float) -> None:
    assert seconds_to_answer(env, 60.0) == seconds
