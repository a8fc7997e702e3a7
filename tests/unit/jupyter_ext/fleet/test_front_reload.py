from jupyter_ext.fleet.front_reload import reloaded

WORKER, ENDING = "nginx: worker process", "nginx: worker process is shutting down"


def test_the_front_has_reloaded_when_only_a_new_worker_accepts_requests():
    before = {10: WORKER}
    assert not reloaded(before, {10: WORKER})
    assert not reloaded(before, {10: WORKER, 11: WORKER})
    assert reloaded(before, {10: ENDING, 11: WORKER})
    assert reloaded(before, {11: WORKER})
    assert not reloaded(before, {})


def test_a_worker_that_still_serves_open_pages_from_an_earlier_reload_is_not_waited_for():
    assert reloaded({9: ENDING, 10: WORKER}, {9: ENDING, 10: ENDING, 11: WORKER})
