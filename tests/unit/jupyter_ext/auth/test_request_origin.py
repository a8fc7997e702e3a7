"""A request with a login's cookie comes from the fleet's own page, or is refused."""

import pytest

from jupyter_ext.auth.request_origin import foreign, led_by_a_page, origin_of

OWN = origin_of("http://fleet.example:8888")
MINE = "http://fleet.example:8888"
NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Sec-Fetch-Site": "same-origin"}),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": MINE}),
        ("GET", {"Sec-Fetch-Site": "none"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", **NAVIGATES}),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}),
        ("POST", {"Origin": MINE}),
        ("POST", {"Origin": "http://FLEET.example:8888"}),
        # Browsers send none of them to a host without TLS, and programs never do.
        ("GET", {}),
        ("GET", {"Referer": f"{MINE}/lab/tree/demo"}),
    ],
)
def test_the_fleets_own_page_may_call(method: str, headers: dict[str, str]) -> None:
    assert foreign(method, headers, OWN) == ""


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Sec-Fetch-Site": "cross-site"}),
        # Another port of the host.
        ("GET", {"Sec-Fetch-Site": "same-site"}),
        ("POST", {"Sec-Fetch-Site": "same-site", "Origin": MINE}),
        ("POST", {"Sec-Fetch-Site": "cross-site", **NAVIGATES}),
        ("DELETE", {"Sec-Fetch-Site": "cross-site", **NAVIGATES}),
        ("GET", {"Sec-Fetch-Site": "nonsense"}),
        ("GET", {"Sec-Fetch-Site": ""}),
        ("GET", {**NAVIGATES, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"}),
        ("GET", {**NAVIGATES, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "object"}),
        ("POST", {}),
        ("PUT", {"Referer": f"{MINE}/lab"}),
        ("POST", {"Origin": "http://fleet.example:8889"}),
        ("POST", {"Origin": "https://fleet.example:8888"}),
        ("POST", {"Origin": "http://fleet.example"}),
        ("POST", {"Origin": "http://evil.example:8888"}),
        ("POST", {"Origin": "null"}),
        ("POST", {"Origin": "http://["}),
        ("POST", {"Origin": "http://fleet.example:x"}),
        ("GET", {"Origin": "null"}),
        ("GET", {"Referer": "http://fleet.example:9999/"}),
    ],
)
def test_others_may_not(method: str, headers: dict[str, str]) -> None:
    assert foreign(method, headers, OWN)


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({"Origin": MINE}, True),
        ({"Sec-Websocket-Origin": MINE}, True),
        ({}, False),
        ({"Origin": "http://fleet.example:8889"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "cross-site", **NAVIGATES}, False),
    ],
)
def test_a_websocket_says_where_it_comes_from(headers: dict[str, str], may: bool) -> None:
    assert (foreign("GET", headers, OWN, websocket=True) == "") is may


@pytest.mark.parametrize(
    ("headers", "led"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "none"}, False),
        # A link in a notebook of others.
        ({"Sec-Fetch-Site": "same-origin", **NAVIGATES, "Referer": f"{MINE}/lab"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Referer": f"{MINE}/lab"}, True),
        ({"Referer": "http://fleet.example:1/"}, True),
    ],
)
def test_whether_a_page_has_led_a_browser_here(headers: dict[str, str], led: bool) -> None:
    assert led_by_a_page(headers) is led


def test_a_default_port_need_not_be_named() -> None:
    assert origin_of("https://fleet.example") == origin_of("https://fleet.example:443/lab?a")
    assert origin_of("http://h") != origin_of("https://h")
    assert origin_of("http://[::1]:80") == origin_of("http://[::1]")


def test_without_an_own_address_nothing_is_own() -> None:
    assert foreign("POST", {"Origin": "null"}, origin_of("nonsense"))
