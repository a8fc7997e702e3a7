"""Kernels whose code publishes what no kernel should: pages go on."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.e2e.kernel_notebook import KernelNotebook, run_all
from tests.e2e.lab_page import LabPage

RAW = """
import json
def publish(kind, content):
    kernel = get_ipython().kernel
    header = json.dumps(kernel.session.msg_header(kind), default=str).encode()
    parent = json.dumps(kernel.get_parent()["header"], default=str).encode()
    parts = [header, parent, b"{}", content]
    kernel.iopub_thread.send_multipart([b"x", b"<IDS|MSG>", kernel.session.sign(parts), *parts])
"""


UNREADABLE = [
    ("display_data", '{"data": {"text/plain": "1"}, "metadata": {}}'),
    ("display_data", '{"data": {"text/plain": "1", "x": NaN}, "metadata": {}}'),
    ("status", "null"),
    ("stream", '{"name": "stdout", "text": 5}'),
]


def test_a_page_that_is_opened_again_shows_all_but_what_it_cannot_read(
    notebook: KernelNotebook,
) -> None:
    bad = [f"publish({kind!r}, {content.encode()!r})" for kind, content in UNREADABLE]
    count = len(bad)
    notebook.save(
        {
            **{
                f"bad-{index}": f"{RAW}\nprint('before')\n{published}\nprint('after')"
                for index, published in enumerate(bad)
            },
            "good": "print('fine')",
            "live": notebook.wait("live") + "print('the end')",
        }
    )
    first = notebook.open()
    run_all(first)
    expect(shown(first, count)).to_contain_text("fine")
    first.page.close()
    page = notebook.open()
    expect(shown(page, count)).to_contain_text("fine")
    notebook.go("live")
    expect(shown(page, count + 1)).to_contain_text("the end")
    for index in range(count):
        expect(shown(page, index)).to_contain_text("after")


def shown(page: LabPage, index: int) -> Locator:
    """The outputs of a cell."""
    return page.cell(index).locator(".jp-Cell-outputWrapper")
