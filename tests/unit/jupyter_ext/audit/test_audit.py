"""Events reach what operators have configured, and hold nobody up."""

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from jupyter_ext.audit import audit as module
from jupyter_ext.audit.audit import Audit, AuditError
from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome

ADA, NOBODY = Actor("user", "ada"), Actor()


def event(
    kind: Kind = Kind.CHANGE, outcome: Outcome = Outcome.ALLOWED, actor: Actor = ADA, name: str = ""
) -> AuditEvent:
    return AuditEvent("file.save", kind, outcome, actor, {"name": name})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def made() -> Iterator[list[Audit]]:
    audits: list[Audit] = []
    yield audits
    for one in audits:
        one.close()


def started(made: list[Audit], file: Path, **options: Any) -> Audit:
    audit = Audit(file=str(file), server_name="lab-1", **options)
    audit.start()
    made.append(audit)
    return audit


def written(audit: Audit, file: Path) -> list[dict[str, Any]]:
    audit.close()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_events_are_lines_that_only_their_owner_may_read(made: list[Audit], file: Path) -> None:
    audit = started(made, file)
    audit.record(event(name="a\nb"))
    audit.record(event(name="c"))
    found = written(audit, file)
    assert [one["object"]["name"] for one in found] == ["a\\x0ab", "c"]
    assert found[0]["__schema__"] == module.schema_id()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_operators_choose_what_is_written(made: list[Audit], file: Path) -> None:
    audit = started(made, file)
    for kind in (Kind.CHANGE, Kind.READ, Kind.POLL, Kind.FLEET):
        audit.record(event(kind, name=kind))
        audit.record(event(kind, Outcome.DENIED, name=f"denied {kind}"))
    assert [one["object"]["name"] for one in written(audit, file)] == [
        *("change", "denied change", "read", "denied read", "denied poll", "denied fleet"),
    ]


def test_without_denials_there_are_those_of_the_other_kinds(made: list[Audit], file: Path) -> None:
    audit = started(made, file, kinds=["change"])
    audit.record(event(Kind.POLL, Outcome.DENIED))
    audit.record(event(Kind.CHANGE, Outcome.DENIED, name="this"))
    assert [one["object"]["name"] for one in written(audit, file)] == ["this"]


def test_a_flood_of_strangers_is_a_number(made: list[Audit], file: Path) -> None:
    audit = started(made, file, anonymous_events_per_minute=5)
    for _ in range(500):
        audit.record(event(Kind.POLL, Outcome.DENIED, NOBODY))
    audit.record(event(Kind.POLL, Outcome.DENIED, ADA))
    found = written(audit, file)
    assert len(found) == 7
    assert counts(found) == [("left_out", "nobody", "denied", 495)]


def counts(found: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    return [
        (one["action"], one["actor"]["kind"], one["outcome"], one["count"])
        for one in found
        if "count" in one
    ]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_whatever_becomes_of_what_strangers_send_it_pushes_nothing_out(
    made: list[Audit], file: Path, outcome: Outcome
) -> None:
    # Without the kind `denial` as well.
    audit = started(made, file, anonymous_events_per_minute=5, kinds=["change"])
    for _ in range(50):
        audit.record(event(Kind.CHANGE, outcome, NOBODY))
        audit.record(event(Kind.POLL, outcome, NOBODY))
    found = written(audit, file)
    assert len(found) == 6
    assert counts(found) == [("left_out", "nobody", outcome, 45)]


def test_what_users_send_in_vain_pushes_nothing_out_and_what_works_is_written(
    made: list[Audit], file: Path
) -> None:
    audit = started(made, file, user_denials_per_minute=5)
    for _ in range(50):
        audit.record(event(Kind.READ, Outcome.FAILED))
        audit.record(event(Kind.READ, name="worked"))
    found = written(audit, file)
    assert sum(one["object"].get("name") == "worked" for one in found) == 50
    assert len(found) == 56
    assert counts(found) == [("left_out", "user", "failed", 45)]


def test_what_is_too_much_to_write_is_a_number(
    made: list[Audit], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    audit = Audit(file=str(file))
    # As if its thread did not get a turn.
    audit._events = object()  # type: ignore[assignment]
    for _ in range(15):
        audit.record(event())
    audit.start()
    made.append(audit)
    found = written(audit, file)
    assert len(found) == 11
    assert [(one["action"], one["count"]) for one in found if "count" in one] == [("lost", 5)]


def test_a_file_that_was_renamed_is_made_anew(made: list[Audit], file: Path) -> None:
    audit = started(made, file)
    audit.record(event(name="before"))
    audit.close()
    older = file.rename(file.with_suffix(".1"))
    audit = started(made, file)
    file.rename(file.with_suffix(".2"))
    audit.record(event(name="after"))
    assert [one["object"]["name"] for one in written(audit, file)] == ["after"]
    assert "before" in older.read_text()


def test_a_file_that_cannot_be_written_is_said_at_the_start(file: Path) -> None:
    with pytest.raises(AuditError, match=r"nowhere/audit.jsonl cannot be written"):
        Audit(file=str(file.parent / "nowhere" / "audit.jsonl")).start()


def test_a_sink_that_fails_later_is_said_once(
    made: list[Audit], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    audit = started(made, file, log=logging.getLogger("test"))
    file.unlink()
    file.mkdir()
    for _ in range(50):
        audit.record(event())
    audit.close()
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 1
    assert "cannot be written" in said[0]


def test_events_may_be_lines_of_the_log(
    made: list[Audit], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    audit = Audit(to_log=True, log=logging.getLogger("test"))
    audit.start()
    audit.record(event(name="this"))
    audit.close()
    assert '"name": "this"' in caplog.text


def test_nothing_is_kept_where_nothing_is_configured() -> None:
    audit = Audit()
    audit.start()
    audit.record(event())
    assert audit._waiting.empty()
    audit.close()


def test_the_webhook_is_one_that_nobody_overhears() -> None:
    with pytest.raises(TraitError, match="https"):
        Audit(webhook_url="http://example.org/audit")
    assert Audit(webhook_url="http://127.0.0.1:9/audit").webhook_url
