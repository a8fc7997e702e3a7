"""A flood of denials is counted, not written one by one."""

from jupyter_ext.audit.denial_pace import MOST_CALLERS, WINDOW_SECONDS, DenialPace


def test_so_many_a_minute_are_written_and_the_others_counted() -> None:
    pace = DenialPace(of_nobody=3, of_a_user=5)
    assert [pace.admits("", 10.0 + n) for n in range(6)] == [True] * 3 + [False] * 3
    assert pace.ended(10.0 + WINDOW_SECONDS - 1) == []
    assert pace.ended(10.0 + WINDOW_SECONDS) == [("", 3)]
    assert pace.ended(10.0 + WINDOW_SECONDS) == []
    assert pace.admits("", 10.0 + WINDOW_SECONDS)


def test_each_user_has_a_count_of_their_own() -> None:
    pace = DenialPace(of_nobody=1, of_a_user=2)
    assert [pace.admits(user, 0.0) for user in ("", "ada", "ada", "max")] == [True] * 4
    assert [pace.admits(user, 0.0) for user in ("", "ada", "max")] == [False, False, True]
    assert sorted(pace.ended(WINDOW_SECONDS)) == [("", 1), ("ada", 1)]


def test_whoever_is_within_the_limit_is_no_count() -> None:
    pace = DenialPace(of_nobody=1, of_a_user=1)
    assert pace.admits("ada", 0.0)
    assert pace.ended(WINDOW_SECONDS) == []


def test_many_names_need_no_more_room() -> None:
    pace = DenialPace(of_nobody=1, of_a_user=1)
    admitted = sum(pace.admits(f"user-{n}", 0.0) for n in range(3 * MOST_CALLERS))
    assert admitted == MOST_CALLERS + 1
    assert pace.ended(WINDOW_SECONDS) == [("others", 2 * MOST_CALLERS - 1)]
