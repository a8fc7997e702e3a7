"""Pages of several people at one kernel: each learns who has used its process, and when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.gateway_ext.gateway_page import Page

pytestmark = pytest.mark.timeout(180)


def people_of(page: Page) -> list[list[str | None]]:
    """What the page was told of the users of a process, in text and in its stream."""
    said = [text for text in page.texts if text["type"] == "people"]
    said += [message["content"] for message in page.messages if message["type"] == "people"]
    return [one["users"] for one in said]


def run(page: Page, code: str) -> dict[str, Any]:
    return page.until(page.execute(code, "a"), "execute_reply")["content"]


def test_pages_learn_who_has_used_a_kernel_before_it_says_anything(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    ada, ben = (Page(gateways, kernel_id, user=user) for user in ("ada", "ben"))
    ada.open()
    ben.open()
    assert people_of(ada) == [[]]
    # What a page asks by itself makes nobody a user of the kernel.
    ben.until(ben.send("shell", "comm_info_request", {}), "comm_info_reply")
    run(ada, "1")
    assert people_of(ada) == [*people_of(ben), ["ada"]] == [[], ["ada"]]
    # Another browser of the same person brings nobody new; a stock client does.
    again = Page(gateways, kernel_id, user="ada")
    again.open()
    run(again, "2")
    assert people_of(again) == [["ada"]]
    with gateways.client("eve").channels(gateways.urls[1], kernel_id) as stock:
        assert stock.run("print(3)") == "3\n"
    cell = ben.execute("4", "b")
    ada.until(cell, "execute_input")
    assert people_of(ada)[2:] == [["ada", "eve"], ["ada", "eve", "ben"]]
    told = [m["sequence"] for m in ada.messages if m["type"] == "people"]
    said = [m["sequence"] for m in ada.messages if m["parent"] == cell]
    assert max(told) < min(said)
    for page in (ada, ben, again):
        page.close()
    # The next owner hears it from the agent.
    gateways.client().call("POST", f"{url}/restart")
    ada.open()
    run(ada, "5")
    late = Page(gateways, kernel_id, user="ben")
    late.open()
    asked = late.send("fleet", "ask", {"cells": {}, "adopt": False})
    replay = late.until(asked, "replay")["content"]
    assert people_of(late) == [["ada"]]
    assert replay["people"] == {"1": ["ada", "eve", "ben"], "2": ["ada"]}
    gateways.client().call("DELETE", url)
