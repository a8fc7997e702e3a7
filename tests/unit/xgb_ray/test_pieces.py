"""When a task that brings data is started a second time."""

from __future__ import annotations

from gateway_ext.xgb_ray.ray_cluster.tasks import Attempt, Call, is_overdue, to_repeat


def attempt(started: float, backed_up: float = 0.0, is_backup: bool = False) -> Attempt:
    call, backups = Call(list, (), "node"), 1 if backed_up else 0
    return Attempt(call, "node", [], started, backups, is_backup, backed_up)


def test_a_task_is_hung_when_it_takes_far_longer_than_others() -> None:
    assert not is_overdue(59, 0, 15)
    assert is_overdue(61, 0, 15)
    assert is_overdue(22, 2, 15)
    assert not is_overdue(300, 100, 15)


def test_while_nothing_has_ended_one_backup_finds_out_whether_all_are_slow() -> None:
    slow = [attempt(0), attempt(0), attempt(0)]
    assert to_repeat(slow, 59, 0, 15) == []
    assert to_repeat(slow, 61, 0, 15) == slow[:1]
    begun = attempt(0, backed_up=61)
    backup = attempt(61, is_backup=True)
    assert to_repeat([begun, *slow[1:], backup], 100, 0, 15) == []
    # The backup is no faster: perhaps it hangs as well.
    assert to_repeat([begun, *slow[1:], backup], 122, 0, 15) == [begun]
    begun.backups = 2
    assert to_repeat([begun, *slow[1:], backup], 122, 0, 15) == slow[1:2]


def test_those_that_take_longer_than_one_that_has_ended_are_repeated_at_once() -> None:
    slow = [attempt(0), attempt(0), attempt(40)]
    assert to_repeat(slow, 50, 5, 15) == slow[:2]
    # A backup has none of its own.
    assert to_repeat([attempt(0, is_backup=True)], 50, 5, 15) == []
