"""All kinds of outputs that do harm in a stock page, opened by another user."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.hostile_outputs import NOTHING, clicked, leaving, loads, notebook_of, scripts
from tests.e2e.lab_page import LabPage
from tests.e2e.running_fleet import Files, Fleet
from tests.servers.scripted_http import ScriptedServer

pytestmark = pytest.mark.long


@pytest.fixture
def foreign() -> Iterator[ScriptedServer]:
    """A site on another port of the fleet's host: browsers send it the fleet's cookies."""
    server = ScriptedServer()
    yield server
    server.stop()


def test_no_output_of_another_user_reads_sends_or_moves_anything(
    fleet: Fleet, files: Files, signed_in: Callable[[str, str], LabPage], foreign: ScriptedServer
) -> None:
    by_click = clicked(foreign.url)
    by_script = scripts(fleet.url)
    outputs = {**by_script, **by_click, **loads(foreign.url), **leaving(foreign.url)}
    path = f"demo/hostile-{uuid.uuid4().hex[:8]}.ipynb"
    files.save(path, {"type": "notebook", "format": "json", "content": notebook_of(outputs)})
    page = signed_in(fleet.url, fleet.token("bob"))
    page.page.set_viewport_size({"width": 1280, "height": 5000})
    page.open_without_kernel(path)
    page.mark()
    address = page.page.url
    for index in range(len(by_script)):
        expect(page.framed(index).locator(".found")).to_have_text(NOTHING)
    for index, name in enumerate(by_click, len(by_script)):
        page.framed(index).locator(".click").click()
        expect(page.dialog, name).to_have_count(0)
    for index in range(len(outputs)):
        page.cell(index).scroll_into_view_if_needed()
        expect(page.cell(index).locator(".jp-OutputArea-output").first).to_be_attached()
    # Whatever they do by themselves, they have done when a later request has been answered.
    page.page.evaluate("fetch('/api').then(answer => answer.text())")
    assert page.page.url == address
    assert not page.reloaded
    assert len(page.page.context.pages) == 1
    assert [request for request in foreign.requests if "cookie" in request.headers] == []
