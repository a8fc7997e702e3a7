"""What stands in an event, and what does not."""

import json

from hypothesis import given
from hypothesis import strategies as st
from jupyter_events import EventLogger

from jupyter_ext.audit.audit import SCHEMA_FILE, schema_id
from jupyter_ext.audit.audit_event import (
    LONGEST_TEXT,
    Actor,
    AuditEvent,
    Kind,
    Outcome,
    Server,
    shown,
)

LAB = Server("lab", "lab-1", "0.1.0")
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def event(**changes: object) -> AuditEvent:
    values: dict[str, object] = {
        "action": "file.save",
        "kind": Kind.CHANGE,
        "outcome": Outcome.ALLOWED,
        "actor": Actor("user", "ada", "0123456789ab", "10.0.0.1"),
        "object": {"project": "demo", "path": "demo/a.ipynb"},
        "status": 200,
        "request": "f" * 32,
    }
    return AuditEvent(**{**values, **changes})  # type: ignore[arg-type]


def test_who_did_what_to_what() -> None:
    document = event(outcome=Outcome.DENIED, reason="no", status=403).document(LAB)
    assert len(document.pop("id")) == 32
    assert document.pop("time").endswith("Z")
    assert document == {
        "server": {"kind": "lab", "name": "lab-1", "version": "0.1.0"},
        "actor": {
            "kind": "user",
            "name": "ada",
            "login": "0123456789ab",
            "address": "10.0.0.1",
        },
        "action": "file.save",
        "object": {"project": "demo", "path": "demo/a.ipynb"},
        "outcome": "denied",
        "reason": "no",
        "status": 403,
        "request": "f" * 32,
    }


def test_what_is_empty_is_left_out() -> None:
    document = AuditEvent("lost", Kind.CHANGE, Outcome.FAILED, Actor("fleet"), count=3).document(
        LAB
    )
    assert document.keys() == {
        *("id", "time", "server", "actor", "action", "object", "outcome"),
        "count",
    }


def test_the_schema_takes_every_event() -> None:
    events = EventLogger()
    events.register_event_schema(SCHEMA_FILE)
    for one in (event(), event(actor=Actor()), event(object={}, reason="x", count=2)):
        events.schemas.validate_event(schema_id(), one.document(LAB))


@given(st.text())
def test_no_text_makes_another_line(text: str) -> None:
    line = json.dumps(event(reason=text, object={"path": text}).document(LAB))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    # Nor does what a reader takes out of the JSON.
    assert len(f"x{shown(text)}x".splitlines()) == 1


def test_halves_of_surrogate_pairs_are_escaped() -> None:
    assert shown("a\ud800b") == "a\\ud800b"


def test_tokens_are_removed_however_long_the_text_is() -> None:
    assert TOKEN not in shown(f"demo/{TOKEN}/a")
    long = "a" * (LONGEST_TEXT - 20) + "/" + TOKEN.replace("eyJzdWIi", "eyJzdWIi" + "x" * 6000)
    assert "eyJ" not in shown(long)
    assert len(shown("a" * 5000)) == LONGEST_TEXT
