from jupyter_ext.fleet.rollout import Rollout, rollout

NAMES = ("front", "lab-1", "lab-2", "gateway-1", "gateway-2", "store")
AS_BEFORE = dict.fromkeys(NAMES, "old")


def test_what_runs_as_wanted_is_left_alone():
    assert rollout(AS_BEFORE, AS_BEFORE, NAMES) == Rollout((), (), ())


def test_all_is_started_where_nothing_runs():
    assert rollout(AS_BEFORE, {}, ()).start == (
        "store",
        "gateway-1",
        "gateway-2",
        "lab-1",
        "lab-2",
        "front",
    )


def test_another_build_replaces_gateways_and_labs_in_this_order():
    wanted = AS_BEFORE | dict.fromkeys(("lab-1", "lab-2", "gateway-1", "gateway-2"), "new")
    assert rollout(wanted, AS_BEFORE, NAMES).replace == (
        "gateway-1",
        "gateway-2",
        "lab-1",
        "lab-2",
    )


def test_labs_know_additional_gateways_before_the_old_one_is_replaced():
    running = {"front": "old", "lab-1": "old", "gateway-1": "old", "store": "old"}
    wanted = {**running, "lab-1": "new", "gateway-1": "new", "gateway-2": "new"}
    plan = rollout(wanted, running, running)
    assert plan.start == ("gateway-2",)
    assert plan.replace == ("lab-1", "gateway-1")


def test_one_that_does_not_answer_is_replaced_while_the_other_still_does():
    wanted = AS_BEFORE | {"lab-1": "new", "lab-2": "new"}
    answering = set(NAMES) - {"lab-2"}
    assert rollout(wanted, AS_BEFORE, answering).replace == ("lab-2", "lab-1")


def test_a_process_of_which_nobody_knows_how_it_was_started_is_replaced():
    assert rollout(AS_BEFORE, AS_BEFORE | {"store": None}, NAMES).replace == ("store",)


def test_what_nobody_wants_any_more_is_stopped_in_the_end():
    running = AS_BEFORE | dict.fromkeys(("of-a-later-release", "lab-10", "lab-3", "gateway-3"), "x")
    assert rollout(AS_BEFORE, running, running).stop == (
        "gateway-3",
        "lab-3",
        "lab-10",
        "of-a-later-release",
    )


def test_ten_labs_are_in_the_order_of_their_numbers():
    labs = {f"lab-{number}": "x" for number in range(1, 12)}
    assert rollout(labs, {}, ()).start == tuple(labs)
