"""How long something that failed is not tried again."""

from gateway_ext.process_proxies.back_off import BackOff


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_failure_in_a_row_pauses_for_longer_and_a_success_starts_over() -> None:
    clock = Clock()
    back_off = BackOff(10, 30, clock)
    assert not back_off.pauses("a")
    for seconds in (10, 20, 30, 30):
        back_off.failed("a")
        clock.now += seconds - 1
        assert back_off.pauses("a")
        assert not back_off.pauses("b")
        clock.now += 1
        assert not back_off.pauses("a")
    back_off.succeeded("a")
    back_off.failed("a")
    clock.now += 10
    assert not back_off.pauses("a")


def test_a_failure_long_ago_is_forgotten() -> None:
    clock = Clock()
    back_off = BackOff(10, 30, clock)
    for forgotten, pause in ((39, 20), (70, 10)):
        back_off.failed("a")
        clock.now += forgotten
        back_off.failed("a")
        clock.now += pause - 1
        assert back_off.pauses("a")
        clock.now += 1
        assert not back_off.pauses("a")
        clock.now += 100
