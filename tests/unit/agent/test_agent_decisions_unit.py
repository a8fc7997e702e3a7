"""What the agent decides without acting: sessions, restarts, gateways, silence, state."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_ext.agent import sessions as sessions_module
from gateway_ext.agent.gateway_list import GatewayList
from gateway_ext.agent.kernel_state import Busyness, reported_info, short_text
from gateway_ext.agent.restart_policy import RestartPolicy
from gateway_ext.agent.sessions import MOST_SESSIONS, Session, Sessions, TooManySessions
from gateway_ext.agent.silence import Silence
from jupyter_ext.wire.messages import MessageError


def test_a_message_is_taken_once_for_each_client_end() -> None:
    session = Session("page", acknowledged=0)
    assert session.take("a", 1)
    assert session.take("a", 2)
    assert not session.take("a", 2)
    assert not session.take("a", 1)
    assert session.take("b", 1)
    assert (session.received_from("a"), session.received_from("c")) == (2, 0)
    # A client whose first messages an earlier agent took over begins higher.
    assert session.take("d", 9)


def test_the_client_end_unused_the_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "REMEMBERED_NONCES", 2)
    session = Session("page", acknowledged=0)
    session.take("a", 1)
    session.take("b", 1)
    session.take("a", 2)
    session.take("c", 1)
    assert (session.received_from("a"), session.received_from("b")) == (2, 0)


def test_where_a_stream_starts() -> None:
    sessions = Sessions()
    session = sessions.known("page", last=5)
    assert session.start(None, last=5) == 5
    session.acknowledge(7)
    session.acknowledge(6)
    assert sessions.known("page", last=9) is sessions.get("page") is session
    assert session.start(None, last=9) == 7
    assert session.start(3, last=9) == 3
    assert session.start(9, last=9) == 9
    assert session.start(10, last=9) == 0


def test_the_session_that_is_idle_longest_makes_room_for_another_one() -> None:
    sessions = Sessions()
    for number in range(MOST_SESSIONS - 4):
        sessions.known(f"open-{number}", last=0)
    assert sessions.make_room() is None
    for name, since in (("fresh", 150.0), ("old", 100.0), ("older", 50.0), ("working", 1.0)):
        sessions.known(name, last=0).idle_since = since
    sessions.known("working", last=0).in_flight.add("request")
    for name in ("older", "old", "fresh"):
        forgotten = sessions.make_room()
        assert forgotten is not None
        assert forgotten.session_id == name
        assert sessions.make_room() is None
        sessions.known(f"instead of {name}", last=0)
    with pytest.raises(TooManySessions):
        sessions.make_room()
    sessions.finished("request")
    assert sessions.make_room() is not None
    assert sessions.get("working") is None


def test_sessions_are_forgotten_when_idle_for_long_and_without_work() -> None:
    sessions = Sessions()
    sessions.known("open", last=0)
    for name in ("idle", "working", "fresh"):
        sessions.known(name, last=0).idle_since = 100.0
    sessions.known("fresh", last=0).idle_since = 150.0
    sessions.known("working", last=0).in_flight.add("request")
    assert [s.session_id for s in sessions.forget_idle(200.0, after=100)] == ["idle"]
    sessions.finished("request")
    assert [s.session_id for s in sessions.forget_idle(200.0, after=100)] == ["working"]
    assert {s.session_id for s in sessions} == {"open", "fresh"}


def test_five_restarts_in_a_row_and_no_sixth() -> None:
    policy = RestartPolicy()
    assert [policy.pause(lived=1) for _ in range(6)] == [0.0, 0.4, 0.8, 1.0, 1.0, None]
    policy.reset()
    assert policy.pause(lived=1) == 0


def test_a_process_that_lived_long_begins_a_new_row() -> None:
    policy = RestartPolicy()
    for _ in range(5):
        policy.pause(lived=1)
    assert policy.pause(lived=10) == 0
    assert policy.pause(lived=1) is not None


def test_gateways_are_dialled_best_first_and_once_a_round() -> None:
    gateways = GatewayList(["http://a/", "http://b", "http://a"])
    assert gateways.urls == ["http://a", "http://b"]
    gateways.tried("http://a")
    assert gateways.next() == "http://b"
    gateways.learn(["http://c", "http://a"])
    gateways.tried("http://b")
    assert gateways.next() == "http://c"
    gateways.tried("http://c")
    assert gateways.next() is None
    gateways.new_round()
    gateways.prefer(["http://c/", "http://d"])
    assert gateways.urls == ["http://c", "http://d", "http://a", "http://b"]
    assert gateways.next() == "http://c"
    gateways.welcomed("http://e", ["http://d", "http://f"])
    assert gateways.urls == ["http://d", "http://f", "http://e", "http://a", "http://b"]


def test_a_peer_from_which_nothing_comes_is_silent_after_the_time_out() -> None:
    silence = Silence(5, now=0)
    silence.pinged(place=100)
    assert not silence.too_long(5, taken=100)
    assert silence.too_long(5.1, taken=100)
    silence.heard(5.1)
    assert not silence.too_long(10, taken=100)


def test_a_ping_behind_a_large_message_gets_time_while_bytes_are_taken() -> None:
    silence = Silence(5, now=0)
    silence.pinged(place=1000)
    silence.pinged(place=2000)
    assert not silence.too_long(4, taken=100)
    assert not silence.too_long(8, taken=200)
    assert not silence.too_long(12.9, taken=200)
    assert silence.too_long(13.1, taken=200)


def test_bytes_taken_behind_an_unanswered_ping_are_no_sign_of_life() -> None:
    silence = Silence(5, now=0)
    silence.pinged(place=1000)
    assert not silence.too_long(2, taken=1010)
    silence.pinged(place=1500)
    assert not silence.too_long(4, taken=1400)
    assert silence.too_long(5.1, taken=1600)


def test_time_in_which_the_agent_slept_does_not_count() -> None:
    silence = Silence(5, now=0)
    silence.heard(10)
    silence.excuse(60)
    assert not silence.too_long(75, taken=0)
    assert silence.too_long(75.1, taken=0)


def test_the_idle_of_one_request_does_not_end_another() -> None:
    busyness = Busyness()
    assert busyness.heard("starting", "") == "starting"
    assert busyness.heard("busy", "cell") == "busy"
    assert busyness.heard("busy", "control") == "busy"
    assert busyness.heard("idle", "control") == "busy"
    assert busyness.heard("idle", "cell") == "idle"
    busyness.heard("busy", "lost")
    assert busyness.heard("idle", "") == "idle"


@pytest.mark.parametrize("said", ["x" * 1000, 1, None, ["busy"]])
def test_what_is_no_short_text_is_not_repeated(said: object) -> None:
    assert short_text(said) == ""
    assert short_text("busy") == "busy"


def nested(levels: int) -> dict[str, Any]:
    return {"": nested(levels - 1)} if levels else {}


@pytest.mark.parametrize("said", [{"banner": "x" * 100_000}, nested(100)])
def test_an_answer_that_gateways_would_refuse_is_not_reported(said: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        reported_info(json.dumps(said).encode())
    usual = {"banner": "Python 3", "help_links": [{"text": str(n), "url": ""} for n in range(20)]}
    assert reported_info(json.dumps(usual).encode()) == usual
