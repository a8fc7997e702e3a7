"""For how long an agent goes around an address that does not answer."""

from __future__ import annotations

from gateway_ext.agent.avoided_urls import LONGEST_SECONDS, SHORTEST_SECONDS, AvoidedUrls

URL = "http://front"


def test_each_try_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    avoided, now, pauses = AvoidedUrls(), 0.0, list[float]()
    for _ in range(8):
        avoided.failed(URL, now)
        begun = now
        while avoided.is_avoided(URL, now):
            now += 1.0
        pauses.append(now - begun)
    assert pauses == [SHORTEST_SECONDS, 60, 120, 240, 480, *[LONGEST_SECONDS] * 3]


def test_a_try_within_the_pause_does_not_make_it_longer() -> None:
    avoided = AvoidedUrls()
    avoided.failed(URL, 0.0)
    for second in range(int(SHORTEST_SECONDS)):
        avoided.failed(URL, float(second))
    assert not avoided.is_avoided(URL, SHORTEST_SECONDS)
    avoided.failed(URL, SHORTEST_SECONDS)
    assert avoided.is_avoided(URL, 3 * SHORTEST_SECONDS - 1)
    assert not avoided.is_avoided(URL, 3 * SHORTEST_SECONDS)


def test_an_answer_ends_the_pause_and_the_next_one_is_short_again() -> None:
    avoided = AvoidedUrls()
    avoided.failed(URL, 0.0)
    avoided.failed(URL, 50.0)
    avoided.answered(URL)
    assert not avoided.is_avoided(URL, 51.0)
    avoided.failed(URL, 51.0)
    assert not avoided.is_avoided(URL, 51.0 + SHORTEST_SECONDS)
    assert not avoided.is_avoided("http://other", 52.0)
