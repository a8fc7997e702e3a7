"""Pages of several people at one kernel: each learns who has used its process, and when."""

from __future__ import annotations

import json
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


def test_whoever_starts_a_kernel_with_variables_is_one_of_its_users(gateways: Gateways) -> None:
    kernels = gateways.directory / "kernels"
    spec = json.loads((kernels / "python" / "kernel.json").read_text())
    options = {"properties": {"environment": {}, "memory": {}}}
    spec["metadata"] = {"fleet": {"launch_options": options}}
    (kernels / "choosing").mkdir()
    (kernels / "choosing" / "kernel.json").write_text(json.dumps(spec))
    # What she has left in a folder that the project's kernels share.
    leave = (
        "import os; os.makedirs('left', exist_ok=True)\n"
        "open('left/sitecustomize.py', 'w').write('import builtins; builtins.left = 1')\n"
        "print(os.path.abspath('left'))"
    )
    first = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[0], first) as channels:
        left = channels.run(leave).strip()
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{first}")
    chosen = {"memory": "1Gi", "environment": {"PYTHONPATH": left}}
    kernel_id = gateways.start_kernel(0, name="choosing", launch_options=chosen)
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    ben = Page(gateways, kernel_id, user="ben")
    ben.open()
    cell = ben.execute("print(left)", "a")
    ben.until(cell, "execute_reply")
    assert [m["content"]["text"] for m in ben.messages if m["type"] == "stream"] == ["1\n"]
    assert people_of(ben) == [["ada"], ["ada", "ben"]]
    ben.close()
    # Also of each further process, whoever has it started.
    gateways.client("ben").call("POST", f"{url}/restart")
    again = Page(gateways, kernel_id, user="ben")
    again.open()
    assert people_of(again) == [["ada"]]
    again.close()
    gateways.client().call("DELETE", url)
    plain = gateways.start_kernel(0, name="choosing", launch_options={"memory": "1Gi"})
    page = Page(gateways, plain, user="ben")
    page.open()
    run(page, "1")
    assert people_of(page) == [[], ["ben"]]
    page.close()
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{plain}")
