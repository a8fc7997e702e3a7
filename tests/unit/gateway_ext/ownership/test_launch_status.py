"""How far a launch is."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway_ext.ownership.launch_status import (
    LONGEST_MESSAGE,
    LaunchPhase,
    begun_status,
    stored_status,
)

BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def test_a_phase_has_begun_when_it_was_first_seen() -> None:
    status = begun_status(BEGUN)
    assert status.shown()["phase"] == "queued"
    pulling = status.after(LaunchPhase.PULLING, "Pulling image", None, at(10))
    later = pulling.after(LaunchPhase.PULLING, "still pulling", None, at(20))
    assert later.shown() == {
        "phase": "pulling",
        "message": "still pulling",
        "position": None,
        "since": "2026-01-02T03:04:15.000000Z",
    }
    # Nothing new: the same object, which is not written again.
    assert later.after(LaunchPhase.PULLING, "still  pulling\n", None, at(30)) is later


def test_the_time_of_a_launch_counts_from_when_it_has_room() -> None:
    limits = {"launch_seconds": 60.0, "queue_seconds": 3600.0}
    status = begun_status(BEGUN).after(LaunchPhase.SCHEDULING, "", None, at(1))
    assert status.overdue(at(3600), **limits) == ""
    assert "no room within 3600 s" in status.overdue(at(3601), **limits)
    started = status.after(LaunchPhase.PULLING, "", None, at(3000))
    started = started.after(LaunchPhase.CONNECTING, "", None, at(3050))
    assert started.overdue(at(3060), **limits) == ""
    assert "did not start within 60 s" in started.overdue(at(3061), **limits)
    # Its room was taken away again.
    waits = started.after(LaunchPhase.QUEUED, "", 3, at(3055))
    assert waits.overdue(at(3590), **limits) == ""
    assert waits.shown()["position"] == 3


def test_what_clusters_say_fits_on_one_line() -> None:
    words = "a\n  b\t" + "c" * 1000 + "\ud800"
    message = begun_status(BEGUN).after(LaunchPhase.QUEUED, words, None, BEGUN).message
    assert message.startswith("a b ccc")
    assert len(message) == LONGEST_MESSAGE


def test_what_is_stored_is_read_back() -> None:
    status = begun_status(BEGUN).after(LaunchPhase.PULLING, "x", 2, at(3))
    for one in (begun_status(BEGUN), status):
        assert stored_status(json.loads(json.dumps(one.stored()))) == one


@pytest.mark.parametrize(
    "column",
    [None, {}, {"phase": "waltzing"}, {**begun_status(BEGUN).stored(), "since": "soon"}, [1], "x"],
)
def test_what_another_version_stored_is_not_read(column: object) -> None:
    assert stored_status(column) is None  # type: ignore[arg-type]
