"""A flood of events is counted, not written one by one."""

import pytest

from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome
from jupyter_ext.audit.event_pace import (
    MOST_CALLERS,
    NOBODY,
    WINDOW_SECONDS,
    Caller,
    EventPace,
    paced,
)

ADA, MAX = Caller("user", "ada"), Caller("user", "max")
ALLOWED, DENIED, FAILED = Outcome.ALLOWED, Outcome.DENIED, Outcome.FAILED


@pytest.mark.parametrize(
    ("actor", "outcomes"),
    [
        (Actor(), {ALLOWED, DENIED, FAILED}),
        (Actor("user", "ada"), {DENIED, FAILED}),
        (Actor("service", "lab"), {DENIED, FAILED}),
        (Actor("kernel", "k-1"), {DENIED, FAILED}),
        (Actor("platform"), set()),
        (Actor("fleet"), set()),
        (Actor("operator", "root"), set()),
    ],
)
def test_what_anybody_can_cause_as_often_as_they_like_is_counted(
    actor: Actor, outcomes: set[Outcome]
) -> None:
    callers = {
        one: paced(AuditEvent("file.save", Kind.CHANGE, one, actor, status=500)) for one in Outcome
    }
    assert {one for one, caller in callers.items() if caller is not None} == outcomes
    assert set(callers.values()) <= {None, Caller(actor.kind, actor.name)}


def test_so_many_a_minute_are_written_and_the_others_counted() -> None:
    pace = EventPace(of_nobody=3, of_a_user=5)
    admitted = [pace.admits(NOBODY, DENIED, 10.0 + n) for n in range(6)]
    assert admitted == [True] * 3 + [False] * 3
    assert not pace.admits(NOBODY, FAILED, 17.0)
    assert pace.ended(10.0 + WINDOW_SECONDS - 1) == []
    assert pace.ended(10.0 + WINDOW_SECONDS) == [(NOBODY, DENIED, 3), (NOBODY, FAILED, 1)]
    assert pace.ended(10.0 + WINDOW_SECONDS) == []
    assert pace.admits(NOBODY, DENIED, 10.0 + WINDOW_SECONDS)


def test_each_user_has_a_count_of_their_own() -> None:
    pace = EventPace(of_nobody=1, of_a_user=2)
    assert [pace.admits(one, DENIED, 0.0) for one in (NOBODY, ADA, ADA, MAX)] == [True] * 4
    assert [pace.admits(one, DENIED, 0.0) for one in (NOBODY, ADA, MAX)] == [False, False, True]
    assert sorted(pace.ended(WINDOW_SECONDS)) == [(NOBODY, DENIED, 1), (ADA, DENIED, 1)]


def test_whoever_is_within_the_limit_is_no_count() -> None:
    pace = EventPace(of_nobody=1, of_a_user=1)
    assert pace.admits(ADA, DENIED, 0.0)
    assert pace.ended(WINDOW_SECONDS) == []


def test_many_names_need_no_more_room() -> None:
    pace = EventPace(of_nobody=1, of_a_user=1)
    names = (Caller("user", f"user-{n}") for n in range(3 * MOST_CALLERS))
    admitted = sum(pace.admits(one, FAILED, 0.0) for one in names)
    assert admitted == MOST_CALLERS + 1
    assert pace.admits(NOBODY, FAILED, 0.0)
    assert pace.ended(WINDOW_SECONDS) == [(("user", "others"), FAILED, 2 * MOST_CALLERS - 1)]
